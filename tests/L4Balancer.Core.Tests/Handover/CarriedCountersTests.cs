using System.Reflection;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Dns;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Connections;

namespace L4Balancer.Core.Tests.Handover;

/// <summary>
/// Finds a counter that nobody carries to the process that takes over: each number in the states that count is either in the image, or in the list
/// below with the reason why not.
/// </summary>
internal sealed class CarriedCountersTests
{
    private const string Gauge = "connections that come over count themselves";
    private const string Moment = "a moment, or a place in a sequence, of this process alone";
    private const string ByHealth = "goes over with the health of the backend";
    private const string Recent = "of the last seconds, for choosing a backend or judging it: it begins anew";

    private static readonly Dictionary<string, string> NotCarried = new()
    {
        ["BalancerState._open"] = Gauge,
        ["BalancerState._lastId"] = "later ids are greater, and leave a gap",
        ["ListenerState._open"] = Gauge,
        ["ListenerState._pending"] = Gauge,
        ["PoolState._active"] = Gauge,
        ["PoolState._connecting"] = Gauge,
        ["PoolState._halfClosed"] = Gauge,
        ["PoolState._turn"] = Moment,
        ["PoolState._now"] = Moment,
        ["PoolState.Seed"] = "both processes have the same",
        ["BackendState._active"] = Gauge,
        ["BackendState._connecting"] = Gauge,
        ["BackendState._nextTurn"] = Moment,
        ["BackendState._nextHandOut"] = Moment,
        ["BackendState.HandOutCredit"] = Recent,
        ["BackendState.HandedOutUnevenly"] = Recent,
        ["BackendState._handedOut"] = Recent,
        ["BackendState._status"] = ByHealth,
        ["BackendState._since"] = ByHealth,
        ["Probation._window"] = Recent,
        ["Probation._current"] = Recent,
        ["Probation._previous"] = Recent,
        ["HealthCounters._lastTransition"] = ByHealth,
        ["HealthCounters._byProbes"] = ByHealth,
        ["ConnectHealth._failedInARow"] = ByHealth,
        ["ConnectHealth._told"] = ByHealth,
        ["ConnectHealth._epoch"] = Moment,
        ["ConnectHealth._trial"] = ByHealth,
        ["ConnectHealth._trials"] = Moment,
    };

    [Test]
    public void Every_counter_goes_over()
    {
        (RoutingSnapshot before, DnsCounters dnsBefore) = (new SetupScene(SetupScene.PoolOf(1)).Snapshot, new DnsCounters());
        (RoutingSnapshot after, DnsCounters dnsAfter) = (new SetupScene(SetupScene.PoolOf(1)).Snapshot, new DnsCounters());
        long next = 1;
        foreach (Number number in NumbersOf(before, dnsBefore).Where(n => !NotCarried.ContainsKey(n.Name)))
        {
            number.Set(() => next++);
        }

        byte[] image = new BalancerImage([dnsBefore]).Capture(before, default);
        Assert.That(new BalancerImage([dnsAfter]).TryAdd(image, after, new Survivors(1), default, out string fault), Is.True, fault);

        Dictionary<string, Number> added = NumbersOf(after, dnsAfter).ToDictionary(n => n.Path);
        string[] lost =
        [
            .. NumbersOf(before, dnsBefore).Where(n => !NotCarried.ContainsKey(n.Name) && !n.Values.SequenceEqual(added[n.Path].Values))
                .Select(n => $"{n.Path}: {string.Join(' ', added[n.Path].Values)} and not {string.Join(' ', n.Values)}"),
        ];
        Assert.That(
            lost, Is.Empty, "a number that does not go over to the next process: add it to WriteTo and Add of its class, or to the list of this test");
        Assert.That(next, Is.GreaterThan(100), "there are that many");
    }

    [Test]
    public void List_of_what_does_not_go_over_is_of_this_version()
    {
        HashSet<string> known = [.. NumbersOf(new SetupScene(SetupScene.PoolOf(1)).Snapshot, new DnsCounters()).Select(n => n.Name)];
        Assert.That(NotCarried.Keys.Where(n => !known.Contains(n)), Is.Empty);
    }

    private static List<Number> NumbersOf(RoutingSnapshot snapshot, DnsCounters dns)
    {
        List<Number> numbers = [];
        foreach (object root in (object[])
            [snapshot.State, snapshot.Listeners[0].State, snapshot.Pools[0].State, snapshot.Pools[0].Backends[0].State, snapshot.Sources[0], dns])
        {
            Collect(root, root.GetType().Name, [], numbers);
        }

        return numbers;
    }

    // Numbers, and the counting objects of Core that an object has of its own.
    private static void Collect(object owner, string path, HashSet<object> seen, List<Number> numbers)
    {
        if (!seen.Add(owner))
        {
            return;
        }

        foreach (FieldInfo field in owner.GetType().GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
        {
            string name = field.Name is ['<', ..] ? field.Name[1..field.Name.IndexOf('>')] : field.Name;
            object? value = field.GetValue(owner);
            if (value is int or long or uint or ulong or double or int[] or long[])
            {
                numbers.Add(new Number(owner, field, $"{owner.GetType().Name}.{name}", $"{path}.{name}"));
            }
            else if (value is not null && value is not PoolState && field.FieldType is { IsClass: true, IsArray: false }
                && field.FieldType.Namespace == typeof(BackendState).Namespace)
            {
                Collect(value, $"{path}.{name}", seen, numbers);
            }
        }
    }

    private sealed record Number(object Owner, FieldInfo Field, string Name, string Path)
    {
        public long[] Values => Field.GetValue(Owner) switch
        {
            long[] many => many,
            int[] many => [.. many.Select(m => (long)m)],
            object one => [Convert.ToInt64(one, null)],
            null => [],
        };

        public void Set(Func<long> next)
        {
            if (Field.GetValue(Owner) is long[] many)
            {
                for (int i = 0; i < many.Length; i++)
                {
                    many[i] = next();
                }
            }
            else
            {
                Field.SetValue(Owner, Convert.ChangeType(next(), Field.FieldType, null));
            }
        }
    }
}
