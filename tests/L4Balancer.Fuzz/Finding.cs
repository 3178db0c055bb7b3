namespace L4Balancer.Fuzz;

/// <summary>An answer that must not be: what a fuzzer looks for, beside any other exception.</summary>
internal sealed class Finding(string message) : Exception(message)
{
    public static void Unless(bool holds, string rule)
    {
        if (!holds)
        {
            throw new Finding(rule);
        }
    }
}
