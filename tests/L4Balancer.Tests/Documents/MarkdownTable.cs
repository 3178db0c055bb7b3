namespace L4Balancer.Tests.Documents;

/// <summary>The rows of the tables of a page, by the title of their first column.</summary>
internal static class MarkdownTable
{
    /// <returns>The cells of each row of every table whose first column has this title, without the head.</returns>
    public static string[][] Rows(string path, string title)
    {
        List<string[]> rows = [];
        bool inside = false;
        foreach (string line in File.ReadLines(Repository.PathOf(path.Split('/'))))
        {
            if (!line.StartsWith('|'))
            {
                inside = false;
                continue;
            }

            string[] cells = [.. line.Trim().Trim('|').Split('|').Select(c => c.Trim())];
            if (cells[0] == title)
            {
                inside = true;
            }
            else if (inside && !cells[0].StartsWith("---", StringComparison.Ordinal))
            {
                rows.Add(cells);
            }
        }

        return [.. rows];
    }

    /// <summary>The words between back quotes of a cell.</summary>
    public static string[] Words(string cell) => [.. cell.Split('`').Where((_, i) => i % 2 == 1)];
}
