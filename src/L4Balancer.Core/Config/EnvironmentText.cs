using System.Text;

namespace L4Balancer.Core.Config;

/// <summary>
/// Replaces <c>${NAME}</c> and <c>${NAME:-default}</c> in a string value by what the environment has. A default also stands for a variable that is set
/// and empty, as in a shell; <c>$${</c> is a literal <c>${</c>.
/// </summary>
internal static class EnvironmentText
{
    private const string Start = "${";
    private const string Literal = "$${";
    private const string Default = ":-";

    /// <param name="expanded">The text with its values.</param>
    /// <param name="written">The text as it may be shown: with the names, and without defaults.</param>
    /// <returns>What is wrong, with how to correct it; null if nothing is.</returns>
    public static string? Expand(string text, Func<string, string?> variable, out string expanded, out string written)
    {
        StringBuilder values = new();
        StringBuilder names = new();
        expanded = written = text;
        int at = 0;
        while (true)
        {
            int start = text.IndexOf(Start, at, StringComparison.Ordinal);
            if (start < 0)
            {
                break;
            }

            if (start > at && text[start - 1] == '$')
            {
                values.Append(text, at, start - 1 - at).Append(Start);
                names.Append(text, at, start - at).Append(Start);
                at = start + Start.Length;
                continue;
            }

            int end = text.IndexOf('}', start);
            string inner = end < 0 ? "" : text[(start + Start.Length)..end];
            int colon = inner.IndexOf(Default, StringComparison.Ordinal);
            string name = colon < 0 ? inner : inner[..colon];
            if (!IsName(name))
            {
                return $"{Quoted.Text(text)} has a {Start} that begins no variable; write {Start}NAME}} or {Start}NAME:-default}}, "
                    + $"or {Literal} for a literal {Start}";
            }

            string? value = variable(name);
            if (colon >= 0 && string.IsNullOrEmpty(value))
            {
                value = inner[(colon + Default.Length)..];
            }

            if (value is null)
            {
                return $"the environment has no variable {name}; set it, or write a default: {Start}{name}:-default}}";
            }

            values.Append(text, at, start - at).Append(value);
            names.Append(text, at, start - at).Append(Start).Append(name).Append('}');
            at = end + 1;
        }

        expanded = values.Append(text, at, text.Length - at).ToString();
        written = names.Append(text, at, text.Length - at).ToString();
        return null;
    }

    /// <summary>Whether anything in the text is to be replaced.</summary>
    public static bool IsIn(string text) => text.Contains(Start, StringComparison.Ordinal);

    private static bool IsName(string name) =>
        name.Length > 0 && !char.IsAsciiDigit(name[0]) && name.All(static c => char.IsAsciiLetterOrDigit(c) || c == '_');
}
