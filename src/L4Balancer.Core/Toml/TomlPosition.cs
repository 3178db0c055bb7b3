namespace L4Balancer.Core.Toml;

/// <summary>A place in the text: both count from 1; a column is one Unicode code point.</summary>
public readonly record struct TomlPosition(int Line, int Column)
{
    public override string ToString() => $"{Line}:{Column}";
}
