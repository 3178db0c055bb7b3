namespace L4Balancer.Core.Toml;

/// <summary>What stands between statements: comments and ends of lines.</summary>
internal sealed class TomlBlankReader(TomlCursor cursor, TomlErrorList errors)
{
    /// <summary>Control characters other than tab stand nowhere, not even in comments.</summary>
    public static bool IsForbidden(char character) => character is (< ' ' and not '\t') or '\x7F';

    /// <summary>From the number sign to the end of the line.</summary>
    public void SkipComment()
    {
        for (; !cursor.AtLineEnd; cursor.Advance())
        {
            if (IsForbidden(cursor.Current))
            {
                errors.AddSyntax(
                    cursor.Position, $"the control character {TomlExcerpt.Of(cursor)} cannot stand in a comment: only tab is allowed");
            }
        }
    }

    /// <summary>Behind a statement only a comment may follow on its line.</summary>
    public void ExpectLineEnd()
    {
        cursor.SkipBlank();
        if (cursor.Current == '#')
        {
            SkipComment();
        }
        else if (!cursor.AtLineEnd)
        {
            errors.AddSyntax(cursor.Position, $"the end of the line or a comment is expected, found {TomlExcerpt.Of(cursor)}");
            cursor.SkipLine();
        }
    }
}
