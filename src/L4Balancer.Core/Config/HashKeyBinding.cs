using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Core.Config;

/// <summary><c>hash_key</c>.</summary>
internal static class HashKeyBinding
{
    private static readonly string Form = $"an array of {Vocabulary.HashKey.Allowed}, \"sni\", \"http-path\", \"http-path:N\", "
        + "\"http-header:NAME\", \"http-cookie:NAME\", \"http-query:NAME\"";

    /// <param name="table">The table of one pool.</param>
    /// <param name="fallback">The parts of the tuple if there is no such key.</param>
    /// <param name="references">The named fields are added.</param>
    /// <param name="named">The named fields.</param>
    /// <returns>The parts of the tuple.</returns>
    public static TupleFields Bind(
        TableBinder table, TupleFields fallback, HashKeyReferences references, out ImmutableArray<HashKeyField> named)
    {
        named = [];
        if (!table.TryGet("hash_key", out Setting setting) || !setting.TryItems(Form, out ImmutableArray<Setting> items))
        {
            return fallback;
        }

        if (items.IsEmpty)
        {
            setting.Reject($"is empty; needed: {Form}");
        }

        Claims<string> fields = new("the fields of hash_key");
        ImmutableArray<HashKeyField>.Builder others = ImmutableArray.CreateBuilder<HashKeyField>();
        TupleFields all = TupleFields.None;
        foreach (Setting item in items)
        {
            if (!item.TryText($"one of {Form["an array of ".Length..]}", out string word))
            {
                continue;
            }

            if (Vocabulary.HashKey.TryGet(word, out TupleFields part))
            {
                all |= fields.TryClaim(word, item) ? part : TupleFields.None;
            }
            else if (!HashKeyField.TryParse(word, out HashKeyField? field))
            {
                item.Reject($"{Quoted.Text(word)} is not known; allowed: {Form["an array of ".Length..]}{Mend(word)}");
            }
            else if (fields.TryClaim(field.ToString(), item))
            {
                others.Add(field);
                references.Add(field, item);
            }
        }

        if (all.HasFlag(TupleFields.SourceIp | TupleFields.SourceNet))
        {
            setting.Reject("has both \"source-ip\" and \"source-net\"; an address contains its network: leave one of them out");
        }

        named = others.ToImmutable();
        return all;
    }

    private static string Mend(string word) => word.Split(':')[0] switch
    {
        "http-path" => $". N is a number of segments, 1 to {HashKeyField.MostSegments}",
        "http-header" or "http-cookie" => ". NAME has letters, digits and any of !#$%&'*+-.^_`|~",
        _ => "",
    };
}
