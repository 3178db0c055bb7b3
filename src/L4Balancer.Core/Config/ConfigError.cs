using System.Globalization;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>One error in a configuration file.</summary>
/// <param name="Position">Position of the value; of the key if the key is wrong; of the table's header if a key is missing.</param>
/// <param name="Key">The dotted key, <c>pools[0].health.rise</c>; empty for syntax errors.</param>
/// <param name="Message">One line: what is wrong and what is allowed.</param>
public sealed record ConfigError(TomlPosition Position, string Key, string Message)
{
    /// <summary>The line that <c>check</c> prints: <c>FILE:LINE:COL: error: KEY: what is wrong and what is allowed</c>.</summary>
    public string Format(string file) =>
        string.Create(CultureInfo.InvariantCulture, $"{Place(file)}: error: {(Key.Length == 0 ? "syntax" : Key)}: {Message}");

    /// <summary><c>FILE:LINE:COL</c>.</summary>
    /// <param name="file">The file where the position does not say it.</param>
    public string Place(string file) => Position.Source is null ? $"{file}:{Position}" : Position.ToString();
}
