using System.Collections.Immutable;

namespace L4Balancer.Core.Config;

/// <summary>A closed set of words: those that are supported, and those that are reserved but not supported yet.</summary>
internal sealed class Choice<T>
{
    private readonly ImmutableArray<(string Word, T Value)> _works;
    private readonly ImmutableArray<string> _notYet;

    /// <param name="works">The supported words and their values.</param>
    /// <param name="notYet">Reserved words; one that ends in a colon stands for every word with this prefix.</param>
    public Choice(ImmutableArray<(string Word, T Value)> works, params ImmutableArray<string> notYet)
    {
        _works = works;
        _notYet = notYet;
        Allowed = string.Join(", ", works.Select(static w => $"\"{w.Word}\""));
    }

    /// <summary>The supported words, quoted, for messages.</summary>
    public string Allowed { get; }

    public bool TryGet(string word, out T value)
    {
        foreach ((string candidate, T meaning) in _works)
        {
            if (candidate == word)
            {
                value = meaning;
                return true;
            }
        }

        value = default!;
        return false;
    }

    public bool IsNotYet(string word) =>
        _notYet.Any(n => n == word || (n.EndsWith(':') && word.StartsWith(n, StringComparison.Ordinal)));
}
