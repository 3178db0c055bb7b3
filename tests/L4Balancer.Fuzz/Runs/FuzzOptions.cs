using System.Globalization;
using L4Balancer.Fuzz.Targets;

namespace L4Balancer.Fuzz.Runs;

/// <summary>What <c>make fuzz</c> is asked for.</summary>
/// <param name="Targets">One after the other.</param>
/// <param name="Time">For each target.</param>
/// <param name="Driver"><c>afl</c> or <c>libfuzzer</c>; null: what is installed.</param>
internal sealed record FuzzOptions(IReadOnlyList<FuzzTarget> Targets, TimeSpan Time, string? Driver)
{
    private static readonly TimeSpan DefaultTime = TimeSpan.FromSeconds(60);

    /// <param name="args">Pairs of a name (<c>--seconds</c>) and its value; an empty value is the default.</param>
    /// <param name="mistake">What is wrong with them, if null is returned.</param>
    public static FuzzOptions? TryParse(ReadOnlySpan<string> args, out string mistake)
    {
        mistake = "";
        var given = new FuzzOptions(FuzzTarget.All, DefaultTime, null);
        for (int i = 0; i + 1 < args.Length; i += 2)
        {
            if (args[i + 1].Length == 0)
            {
                continue;
            }

            if (With(given, args[i], args[i + 1]) is not { } next)
            {
                mistake = $"{args[i]} {args[i + 1]}: allowed are --target {string.Join('|', FuzzTarget.All)}, --seconds 1 to 1000000, --driver afl|libfuzzer";
                return null;
            }

            given = next;
        }

        return given;
    }

    private static FuzzOptions? With(FuzzOptions given, string name, string value) => name switch
    {
        "--target" when FuzzTarget.All.FirstOrDefault(t => t.Name == value) is { } target => given with { Targets = [target] },
        "--seconds" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) && seconds is >= 1 and <= 1_000_000 =>
            given with { Time = TimeSpan.FromSeconds(seconds) },
        "--driver" when value is "afl" or "libfuzzer" => given with { Driver = value },
        _ => null,
    };
}
