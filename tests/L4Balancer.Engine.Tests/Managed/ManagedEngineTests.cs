using L4Balancer.Engine.Managed;
using L4Balancer.Engine.Tests.Contract;

namespace L4Balancer.Engine.Tests.Managed;

/// <summary>The managed engine keeps the contract.</summary>
internal static class ManagedEngineTests
{
    private static ManagedEngine NewManaged(EngineOptions options) => new(options);

    internal sealed class Inspect() : InspectContract(NewManaged);

    internal sealed class InspectEdge() : InspectEdgeContract(NewManaged);

    internal sealed class ProxyIn() : ProxyInContract(NewManaged);

    internal sealed class ProxyOut() : ProxyOutContract(NewManaged);

    internal sealed class Transparent() : TransparentContract(NewManaged);

    internal sealed class Relay() : RelayContract(NewManaged);

    internal sealed class Finish() : FinishContract(NewManaged);

    internal sealed class Reset() : ResetContract(NewManaged);

    internal sealed class Connect() : ConnectContract(NewManaged);

    internal sealed class Passive() : PassiveContract(NewManaged);

    internal sealed class Unreachable() : UnreachableContract(NewManaged);

    internal sealed class Timeout() : TimeoutContract(NewManaged);

    internal sealed class ConnectTime() : ConnectTimeContract(NewManaged);

    internal sealed class Limit() : LimitContract(NewManaged);

    internal sealed class Refused() : RefusedContract(NewManaged);

    internal sealed class Fault() : FaultContract(NewManaged);

    internal sealed class Flood() : FloodContract(NewManaged);

    internal sealed class KernelMemory() : KernelMemoryContract(NewManaged);

    internal sealed class Admission() : AdmissionContract(NewManaged);

    internal sealed class Balance() : BalanceContract(NewManaged);

    internal sealed class Close() : CloseContract(NewManaged);

    internal sealed class Stop() : StopContract(NewManaged);

    internal sealed class Shed() : ShedContract(NewManaged);

    internal sealed class Listen() : ListenContract(NewManaged);

    internal sealed class Unix() : UnixContract(NewManaged);

    internal sealed class UnixFile() : UnixFileContract(NewManaged);

    internal sealed class PortRange() : PortRangeContract(NewManaged);

    internal sealed class Multipath() : MultipathContract(NewManaged);

    internal sealed class PoolDown() : PoolDownContract(NewManaged);

    internal sealed class Reload() : ReloadContract(NewManaged);

    internal sealed class Retirement() : RetirementContract(NewManaged);

    internal sealed class Inherit() : InheritContract(NewManaged);

    internal sealed class List() : ListContract(NewManaged);

    internal sealed class Source() : SourceContract(NewManaged);

    internal sealed class Option() : OptionContract(NewManaged);

    internal sealed class Accounting() : AccountingContract(NewManaged);

    internal sealed class HandOver() : HandOverContract(NewManaged);

    internal sealed class Slice() : SliceContract(NewManaged);

    internal sealed class SliceRequest() : SliceRequestContract(NewManaged);

    internal sealed class SliceMembers() : SliceMembersContract(NewManaged);

    internal sealed class SharedListen() : SharedListenContract(NewManaged);

    internal sealed class Memory() : MemoryContract(NewManaged);
}
