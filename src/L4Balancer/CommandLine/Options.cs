using System.CommandLine;
using System.Globalization;
using L4Balancer.Configuration;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary>Options that several commands share.</summary>
internal static class Options
{
    /// <summary>A whole number from 1.</summary>
    public static Option<int?> Count(string name, string description, int most) => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count >= 1 && count <= most)
            {
                return count;
            }

            result.AddError(string.Create(CultureInfo.InvariantCulture, $"{name} {text}: must be a number from 1 to {most}"));
            return null;
        },
    };

    public static Option<string?> Config() => new("--config", "-c")
    {
        Description = $"The configuration file; default: the value of {ConfigFile.Variable}, else {ConfigFile.DefaultPath}",
        HelpName = "FILE",
    };
}
