using System.Collections.Immutable;

namespace L4Balancer.Core.Config;

/// <summary>A value as the file writes it.</summary>
/// <param name="IsList">Whether it is an array; then there is one text for each item.</param>
public sealed record WrittenText(bool IsList, ImmutableArray<string> Texts);

/// <summary>The values of a configuration that came from the environment, and how messages and listings show them instead.</summary>
internal sealed class ExpandedTexts
{
    private const int ShortestBare = 4;

    private readonly Dictionary<string, (string Value, string Written)> _byKey = [];
    private readonly ImmutableSortedDictionary<string, WrittenText>.Builder _written =
        ImmutableSortedDictionary.CreateBuilder<string, WrittenText>(StringComparer.Ordinal);

    public static ExpandedTexts None { get; } = new();

    /// <summary>As <see cref="BalancerConfig.FromEnvironment"/>.</summary>
    public ImmutableSortedDictionary<string, WrittenText> Written => _written.ToImmutable();

    /// <param name="key">The dotted key, as in errors.</param>
    /// <param name="value">The value with what the environment has.</param>
    /// <param name="written">The value as it may be shown.</param>
    public void Add(string key, string value, string written) => _byKey[key] = (value, written);

    public void Show(string key, WrittenText text) => _written[key] = text;

    /// <summary>A message about a value, without what came from the environment.</summary>
    public string Mask(string key, string message)
    {
        if (!_byKey.TryGetValue(key, out (string Value, string Written) text) || text.Value.Length == 0)
        {
            return message;
        }

        // A shorter value is part of words and numbers of the message itself, and where the message shows it, it is in quotes.
        string masked = message.Replace(Quoted.Text(text.Value), Quoted.Text(text.Written), StringComparison.Ordinal);
        return text.Value.Length < ShortestBare ? masked : masked.Replace(text.Value, text.Written, StringComparison.Ordinal);
    }
}
