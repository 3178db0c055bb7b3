using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Tests.Contract;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>The epoll engine keeps the contract.</summary>
internal static class EpollEngineTests
{
    private static EpollEngine NewEpoll(EngineOptions options) => new(options);

    internal sealed class Inspect() : InspectContract(NewEpoll);

    internal sealed class InspectEdge() : InspectEdgeContract(NewEpoll);

    internal sealed class ProxyIn() : ProxyInContract(NewEpoll);

    internal sealed class ProxyOut() : ProxyOutContract(NewEpoll);

    internal sealed class Transparent() : TransparentContract(NewEpoll);

    internal sealed class Relay() : RelayContract(NewEpoll);

    internal sealed class Finish() : FinishContract(NewEpoll);

    internal sealed class Reset() : ResetContract(NewEpoll);

    internal sealed class Connect() : ConnectContract(NewEpoll);

    internal sealed class Passive() : PassiveContract(NewEpoll);

    internal sealed class Unreachable() : UnreachableContract(NewEpoll);

    internal sealed class Timeout() : TimeoutContract(NewEpoll);

    internal sealed class ConnectTime() : ConnectTimeContract(NewEpoll);

    internal sealed class Limit() : LimitContract(NewEpoll);

    internal sealed class Refused() : RefusedContract(NewEpoll);

    internal sealed class Fault() : FaultContract(NewEpoll);

    internal sealed class Flood() : FloodContract(NewEpoll);

    internal sealed class KernelMemory() : KernelMemoryContract(NewEpoll);

    internal sealed class Admission() : AdmissionContract(NewEpoll);

    internal sealed class Balance() : BalanceContract(NewEpoll);

    internal sealed class Close() : CloseContract(NewEpoll);

    internal sealed class Stop() : StopContract(NewEpoll);

    internal sealed class Shed() : ShedContract(NewEpoll);

    internal sealed class Listen() : ListenContract(NewEpoll);

    internal sealed class Unix() : UnixContract(NewEpoll);

    internal sealed class UnixFile() : UnixFileContract(NewEpoll);

    internal sealed class PortRange() : PortRangeContract(NewEpoll);

    internal sealed class Multipath() : MultipathContract(NewEpoll);

    internal sealed class PoolDown() : PoolDownContract(NewEpoll);

    internal sealed class Reload() : ReloadContract(NewEpoll);

    internal sealed class Retirement() : RetirementContract(NewEpoll);

    internal sealed class Inherit() : InheritContract(NewEpoll);

    internal sealed class List() : ListContract(NewEpoll);

    internal sealed class Source() : SourceContract(NewEpoll);

    internal sealed class Option() : OptionContract(NewEpoll);

    internal sealed class Accounting() : AccountingContract(NewEpoll);

    internal sealed class HandOver() : HandOverContract(NewEpoll);

    internal sealed class Slice() : SliceContract(NewEpoll);

    internal sealed class SliceRequest() : SliceRequestContract(NewEpoll);

    internal sealed class SliceMembers() : SliceMembersContract(NewEpoll);

    internal sealed class SharedListen() : SharedListenContract(NewEpoll);

    internal sealed class Memory() : MemoryContract(NewEpoll);
}
