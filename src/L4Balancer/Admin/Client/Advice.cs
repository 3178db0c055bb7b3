using L4Balancer.Core.Config;

namespace L4Balancer.Admin.Client;

/// <summary>What to do about a name that is not known.</summary>
internal static class Advice
{
    /// <summary>Comparing takes microseconds for each; with more names than this it is left out.</summary>
    private const int MostCompared = 2_000;

    /// <param name="command">The command that lists the names.</param>
    public static string For(string name, IEnumerable<string> known, string command)
    {
        string[] some = [.. known.Take(MostCompared + 1)];
        return some.Length <= MostCompared && NearestName.Meant(name, some) is string meant ? $"did you mean {meant}?" : $"`l4balancer {command}` lists all";
    }
}
