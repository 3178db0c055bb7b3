using System.Collections.Immutable;

namespace L4Balancer.Core.Config;

/// <summary>A closed set of words: those that work, and those that the contract names but nothing serves yet.</summary>
internal sealed class Choice<T>
{
    private readonly ImmutableArray<(string Word, T Value)> _works;
    private readonly ImmutableArray<string> _notYet;

    /// <param name="works">The words with what they mean.</param>
    /// <param name="notYet">Words without a meaning yet; one that ends in a colon stands for every word that begins so.</param>
    public Choice(ImmutableArray<(string Word, T Value)> works, params ImmutableArray<string> notYet)
    {
        _works = works;
        _notYet = notYet;
        Allowed = string.Join(", ", works.Select(static w => $"\"{w.Word}\""));
    }

    /// <summary>The words that work, quoted, for messages.</summary>
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
