namespace L4Balancer.Core.Toml;

/// <summary>
/// Reads TOML 1.0 (toml.io/en/v1.0.0). Never throws on bad text: mistakes are in the document's errors, in the order of the text, at most
/// <see cref="MaxErrors"/>. Bounds: 64 MiB, and <see cref="MaxDepth"/> levels of tables and arrays.
/// </summary>
public static class TomlReader
{
    /// <summary>When so many mistakes were found, the rest of the text is not read.</summary>
    public const int MaxErrors = TomlErrorList.MaxErrors;

    /// <summary>Levels below the root; an array of tables is two.</summary>
    public const int MaxDepth = TomlTableBuilder.MaxDepth;

    public static TomlDocument Read(ReadOnlySpan<byte> utf8)
    {
        TomlErrorList errors = new();
        TomlTable root = new TomlStatementReader(TomlText.Decode(utf8, errors), errors).Read();
        return new TomlDocument(root, errors.InOrder());
    }
}
