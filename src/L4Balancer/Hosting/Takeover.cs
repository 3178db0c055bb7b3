using System.Runtime.Versioning;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine;
using L4Balancer.Fleet;
using L4Balancer.Upgrade;
using L4Balancer.Web;

namespace L4Balancer.Hosting;

/// <summary>
/// The start of a daemon that replaces another process: the steps of <see cref="NewSide"/>, for <see cref="Daemon"/>, which calls them as it
/// starts. What blocks does so on another thread.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class Takeover(NewSide side) : IDisposable
{
    private bool _isStateAdded;
    private UpgradeState? _state;

    public NewSide Side => side;

    public UpgradePreparation? Preparation { get; private set; }

    /// <summary>What the old process knows; null: this version cannot read it, and starts as if alone.</summary>
    public Preparation? Before { get; private set; }

    /// <summary>As <see cref="Before"/>, at the moment when the old process stopped to take orders.</summary>
    public Preparation? Later => State.Parts.TryGetValue(UpgradeParts.Later, out ReadOnlyMemory<byte> bytes) ? Core.Handover.Preparation.Read(bytes.Span, out _) : null;

    /// <summary>The place in the fleet; null: none.</summary>
    public CarriedMembership? Membership => State.Parts.TryGetValue(UpgradeParts.Fleet, out ReadOnlyMemory<byte> bytes) ? CarriedMembership.Read(bytes.Span) : null;

    /// <summary>Who the old process is.</summary>
    public UpgradeHello? Old { get; private set; }

    /// <summary>Valid after <see cref="TakeStateAsync"/>.</summary>
    public UpgradeState State => _state!;

    /// <summary>The sockets that take connections.</summary>
    public IReadOnlyList<ListeningDescriptor> Listening =>
        [.. State.Sockets.Where(static s => s.Part == UpgradeSocket.Listener).Select(Listener)];

    /// <summary>Those of the control plane.</summary>
    public IReadOnlyList<NamedDescriptor> ControlSockets =>
        [.. State.Sockets.Where(static s => s.Part != UpgradeSocket.Listener).Select(static s => new NamedDescriptor(s.Name, s.Descriptor))];

    /// <exception cref="UpgradeException">The upgrade cannot go on.</exception>
    public Task PrepareAsync(UpgradeHello own) => Task.Run(() =>
    {
        Old = side.Greet(own);
        Preparation = side.Prepare();
        Before = Core.Handover.Preparation.Read(Preparation.Image.Span, out _);
    });

    /// <exception cref="UpgradeException">The upgrade cannot go on.</exception>
    public Task TakeStateAsync() => Task.Run(() => _state = side.Prepared());

    /// <exception cref="UpgradeException">The upgrade cannot go on.</exception>
    public Task ServingAsync() => Task.Run(side.Serving);

    /// <summary>Adds what the old process has counted. Before anything counts or is shown here; later calls change nothing.</summary>
    /// <param name="counting">What counts outside of the snapshot.</param>
    /// <exception cref="UpgradeException">It cannot be read.</exception>
    public void AddState(RoutingSnapshot snapshot, Survivors survivors, IReadOnlyCollection<ICarriedCounters> counting, Instant now)
    {
        if (!_isStateAdded)
        {
            _isStateAdded = true;
            Add(State.Image, snapshot, survivors, counting, now);
        }
    }

    /// <summary>Adds what the old process has counted since.</summary>
    /// <exception cref="UpgradeException">It cannot be read.</exception>
    public void Add(
        ReadOnlyMemory<byte> image, RoutingSnapshot snapshot, Survivors survivors, IReadOnlyCollection<ICarriedCounters> counting, Instant now)
    {
        if (!new BalancerImage(counting).TryAdd(image.Span, snapshot, survivors, now, out string fault))
        {
            throw new UpgradeException($"what the old process has counted cannot be taken over: {fault}");
        }
    }

    public void Dispose() => side.Dispose();

    // An address that this version cannot read matches no bind, so that the socket is closed with a warning.
    private static ListeningDescriptor Listener(UpgradeSocket socket) =>
        new(socket.Descriptor, socket.Name, Parse(socket.Requested), Parse(socket.Bound), socket.IsFromService);

    private static Endpoint Parse(string text) =>
        Endpoint.TryParse(text, out Endpoint endpoint) || Endpoint.TryParseUnix(text, out endpoint) ? endpoint : default;
}
