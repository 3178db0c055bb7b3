using System.Collections.Immutable;

namespace L4Balancer.Configuration;

/// <summary>Everything that a reload reads, before anything of it is put in force.</summary>
/// <param name="Lacking">What the machine lacks for it, one line with the mend each.</param>
/// <param name="Apply">Puts in force what else was read beside the file.</param>
internal sealed record ReadConfig(ConfigFile File, ImmutableArray<string> Lacking, Action Apply)
{
    /// <summary>There is nothing to put in force.</summary>
    public static ReadConfig Failed(string path, string error) => new(new ConfigFile(path, null, [error]), [], static () => { });
}
