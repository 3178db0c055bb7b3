using System.Reflection;

namespace L4Balancer;

/// <summary>What was built, from the assembly: <c>0.1.0+commit</c> is what the SDK writes in a checkout.</summary>
/// <param name="Commit"><c>unknown</c> in a build outside a checkout.</param>
internal sealed record BuildVersion(string Version, string Commit)
{
    public static BuildVersion Current { get; } =
        Parse(typeof(BuildVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0");

    public static BuildVersion Parse(string informational)
    {
        int plus = informational.IndexOf('+', StringComparison.Ordinal);
        return plus < 0
            ? new BuildVersion(informational, "unknown")
            : new BuildVersion(informational[..plus], informational[(plus + 1)..]);
    }
}
