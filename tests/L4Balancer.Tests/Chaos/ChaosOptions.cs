using System.Globalization;

namespace L4Balancer.Tests.Chaos;

/// <summary>What a run is asked for.</summary>
/// <param name="Engine"><c>epoll</c> or <c>managed</c>.</param>
/// <param name="Clients">Clients at a time.</param>
internal sealed record ChaosOptions(string Engine, int Workers, TimeSpan Duration, int Seed, int Clients = 40)
{
    /// <summary>What repeats the run: the same plans in the same order, though not at the same microsecond.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"ENGINE={Engine} WORKERS={Workers} SECONDS={Duration.TotalSeconds:F0} SEED={Seed} CLIENTS={Clients}");

    /// <param name="args">Pairs of a name (<c>--seconds</c>) and its value; an empty value is the default.</param>
    /// <param name="mistake">What is wrong with them.</param>
    /// <returns>Null where they are wrong.</returns>
    public static ChaosOptions? TryParse(ReadOnlySpan<string> args, out string mistake)
    {
        mistake = "";
        var given = new ChaosOptions("epoll", 4, TimeSpan.FromSeconds(60), Random.Shared.Next(1, 1_000_000));
        for (int i = 0; i < args.Length; i += 2)
        {
            if (i + 1 == args.Length)
            {
                mistake = $"{args[i]} needs a value";
                return null;
            }

            string value = args[i + 1];
            if (value.Length == 0)
            {
                continue;
            }

            if (With(given, args[i], value) is not { } next)
            {
                mistake = $"{args[i]} {value}: allowed are --engine epoll|managed, --workers 1 to 64, --seconds 5 to 1000000, --seed N, "
                    + "--clients 1 to 1000";
                return null;
            }

            given = next;
        }

        return given;
    }

    private static ChaosOptions? With(ChaosOptions given, string name, string value)
    {
        if (name == "--engine")
        {
            return value is "epoll" or "managed" ? given with { Engine = value } : null;
        }

        if (!int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
        {
            return null;
        }

        return name switch
        {
            "--workers" when number is >= 1 and <= 64 => given with { Workers = number },
            "--seconds" when number is >= 5 and <= 1_000_000 => given with { Duration = TimeSpan.FromSeconds(number) },
            "--seed" => given with { Seed = number },
            "--clients" when number is >= 1 and <= 1000 => given with { Clients = number },
            _ => null,
        };
    }
}
