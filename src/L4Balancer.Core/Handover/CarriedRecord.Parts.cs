using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Handover;

/// <content>The fields as they are read, before they become a record.</content>
public sealed partial record CarriedRecord
{
    private struct Parts
    {
        public (ulong Id, long Generation, long AcceptedAt, long ConnectStartedAt, long EstablishedAt, long LastActivity, long ToBackend, long ToClient,
            int Attempts) Numbers;

        private string? _listener;
        private string? _pool;
        private string? _backend;
        private string? _address;
        private string? _route;
        private string? _rule;
        private Endpoint? _destination;
        private FourTuple _tuple;
        private Endpoint _local;
        private EndState _end;
        private ClientNames? _names;
        private (ulong, ulong)? _sticky;
        private bool? _hasPlace;
        private PortSource _port;
        private ConnectionPolicy? _policy;

        /// <returns>False if the tag is not known.</returns>
        public bool TryTake(ushort tag, ref FieldReader field)
        {
            switch (tag)
            {
                case NumbersTag:
                    Numbers = ((ulong)field.Long(), field.Count(), field.Count(), field.Count(), field.Count(), field.Count(), field.Count(),
                        field.Count(), (int)Math.Min(field.Count(), int.MaxValue));
                    return true;
                case ListenerTag:
                    _listener = field.Name();
                    return true;
                case PoolTag:
                    _pool = field.Name();
                    return true;
                case BackendTag:
                    (_backend, _address) = (field.Name(), field.Name());
                    bool isKnown = field.Flag();
                    Endpoint destination = field.Endpoint();
                    _destination = isKnown ? destination : null;
                    return true;
                case AddressesTag:
                    _tuple = new FourTuple(field.Endpoint(), field.Endpoint());
                    _local = field.Endpoint();
                    return true;
                case EndTag:
                    _end = new EndState((FinishedSides)field.Byte(), new Instant(field.Count()), new Instant(field.Count()));
                    return true;
                case RouteTag:
                    (_route, _rule) = (field.Name(), field.Text());
                    return true;
                case NamesTag:
                    _names = new ClientNames(field.Text(), field.Text(), field.Text());
                    return true;
                case StickyTag:
                    _sticky = ((ulong)field.Long(), (ulong)field.Long());
                    return true;
                case ClientPlaceTag:
                    _hasPlace = field.Flag();
                    return true;
                case PortTag:
                    // What a later version may add is looked for by the address.
                    _port = field.Byte() is var port and <= (byte)PortSource.Named ? (PortSource)port : PortSource.Unknown;
                    return true;
                case PolicyTag:
                    _policy = Policy(ref field);
                    return true;
                default:
                    return false;
            }
        }

        public readonly CarriedRecord ToRecord() => new()
        {
            Id = Numbers.Id,
            Generation = Numbers.Generation,
            AcceptedAt = new Instant(Numbers.AcceptedAt),
            ConnectStartedAt = new Instant(Numbers.ConnectStartedAt),
            EstablishedAt = new Instant(Numbers.EstablishedAt),
            LastActivity = new Instant(Numbers.LastActivity),
            BytesToBackend = Numbers.ToBackend,
            BytesToClient = Numbers.ToClient,
            Attempts = Numbers.Attempts,
            Listener = _listener ?? "",
            Pool = _pool ?? "",
            Backend = _backend ?? "",
            BackendAddress = _address ?? "",
            Destination = _destination,
            Route = _route ?? "",
            Rule = _rule,
            Tuple = _tuple,
            LocalEndpoint = _local,
            End = _end,
            Names = _names,
            StickyHash = _sticky,
            HasClientPlace = _hasPlace,
            PortSource = _port,
            Policy = _policy,
        };

        private static ConnectionPolicy Policy(ref FieldReader field)
        {
            (TimeSpan idle, TimeSpan halfClose, TimeSpan age, int closeRate) =
                (field.Duration(), field.Duration(), field.Duration(), Small(ref field));
            KeepaliveSettings keepalive = new() { Idle = field.Duration(), Interval = field.Duration(), Count = Small(ref field) };
            PassiveSettings passive = new() { Failures = Small(ref field), EarlyClose = field.Duration(), Retry = field.Duration() };
            return new ConnectionPolicy(idle, halfClose, age, closeRate, keepalive, passive);
        }

        private static int Small(ref FieldReader field) => (int)Math.Min(field.Count(), int.MaxValue);
    }
}
