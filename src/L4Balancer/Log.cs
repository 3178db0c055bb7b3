using L4Balancer.Core.Routing;
using L4Balancer.Engine.Ledger;
using Microsoft.Extensions.Logging;

namespace L4Balancer;

/// <summary>
/// Everything the daemon logs. Ids 1000 to 2999; an id is never used again for something else. 1000 is the output's own count of
/// dropped lines.
/// </summary>
/// <remarks>
/// Long, because what the daemon logs stands in one place, so that an id is seen to be free; and in one file, because of several the generator
/// takes one or the other first, and two builds of a release are not the same bytes.
/// </remarks>
internal static partial class Log
{
    [LoggerMessage(1001, LogLevel.Information,
        "starting l4balancer {Version}: engine {Engine}, up to {Connections} connections (descriptor limit {Descriptors}, two per "
        + "connection, {Reserve} reserved)")]
    public static partial void Starting(
        this ILogger logger, string version, string engine, int connections, long descriptors, long reserve);

    [LoggerMessage(1002, LogLevel.Warning,
        "max_connections = {Wanted} exceeds what the limit of {Descriptors} descriptors allows; using {Allowed}. Raise LimitNOFILE or "
        + "lower max_connections")]
    public static partial void ConnectionsCapped(this ILogger logger, int wanted, long descriptors, int allowed);

    [LoggerMessage(1003, LogLevel.Warning, "could not raise the descriptor limit from {Descriptors}: setrlimit failed with errno {Errno}")]
    public static partial void LimitNotRaised(this ILogger logger, long descriptors, int errno);

    [LoggerMessage(1004, LogLevel.Information, "ready: {Status}")]
    public static partial void Ready(this ILogger logger, string status);

    [LoggerMessage(1005, LogLevel.Information,
        "{Signal}: no longer accepting connections; closing {Count} within {Grace}. A second signal stops the daemon immediately")]
    public static partial void Draining(this ILogger logger, string signal, int count, string grace);

    [LoggerMessage(1006, LogLevel.Warning, "{Signal}: stopping immediately with {Count} connections open")]
    public static partial void StoppingAtOnce(this ILogger logger, string signal, int count);

    [LoggerMessage(1007, LogLevel.Information, "stopped")]
    public static partial void Stopped(this ILogger logger);

    // 1008 was the warning for a signal that was not supported yet.
    [LoggerMessage(1040, LogLevel.Information,
        "{Signal} is not used; nothing was changed. Log rotation does not need it: the log goes to standard output")]
    public static partial void SignalNotUsed(this ILogger logger, string signal);

    [LoggerMessage(1041, LogLevel.Error, "the pool is back, but: {Failure}. Trying again every {Every}")]
    public static partial void NotListeningAgain(this ILogger logger, string failure, string every);

    [LoggerMessage(1071, LogLevel.Warning, "{Signal}: stopping before the start has completed: a step of it does not end")]
    public static partial void StoppedWhileStarting(this ILogger logger, string signal);

    [LoggerMessage(1009, LogLevel.Error, "the engine did not stop in time; {Count} connections are left for the kernel to close")]
    public static partial void EngineHangs(this ILogger logger, int count);

    [LoggerMessage(1010, LogLevel.Warning,
        "cannot notify systemd at the socket in NOTIFY_SOCKET: {Why}; further failures are not logged until a notification succeeds")]
    public static partial void ManagerNotTold(this ILogger logger, string why);

    [LoggerMessage(1011, LogLevel.Error,
        "source_ips of pool {Pool}: {Address} is not an address of this host and cannot be used to connect: "
        + "add it (ip addr shows all) or remove it from source_ips")]
    public static partial void SourceNotHere(this ILogger logger, string pool, string address);

    [LoggerMessage(1012, LogLevel.Warning,
        "source address {Source} had no free local port ({Count} times): add addresses to source_ips, add backends, or widen "
        + "ip_local_port_range")]
    public static partial void SourceExhausted(this ILogger logger, string source, long count);

    [LoggerMessage(1013, LogLevel.Error,
        "source address {Source} is not an address of this host; {Count} connects used another source address or failed: "
        + "add it (ip addr shows all) or remove it from source_ips")]
    public static partial void SourceUnusable(this ILogger logger, string source, long count);

    [LoggerMessage(1014, LogLevel.Information, "{Who}: configuration reloaded, {Count} changes, generation {Generation}")]
    public static partial void Reloaded(this ILogger logger, string who, int count, long generation);

    [LoggerMessage(1015, LogLevel.Error, "{Who}: configuration reload failed with {Count} errors; generation {Generation} remains active")]
    public static partial void ReloadFailed(this ILogger logger, string who, int count, long generation);

    [LoggerMessage(1016, LogLevel.Error, "reload: {Error}")]
    public static partial void ReloadError(this ILogger logger, string error);

    [LoggerMessage(1017, LogLevel.Information, "reload: {Change}")]
    public static partial void ReloadChange(this ILogger logger, string change);

    [LoggerMessage(1018, LogLevel.Warning, "reload: restart required to apply: {Change}")]
    public static partial void ReloadNeedsRestart(this ILogger logger, string change);

    [LoggerMessage(1019, LogLevel.Information, "{Who}: backend {Pool}/{Backend} set to {Mode}")]
    public static partial void ModeSet(this ILogger logger, string pool, string backend, string mode, string who);

    [LoggerMessage(1020, LogLevel.Information, "{Who}: backend {Pool}/{Backend} set to weight {Weight}")]
    public static partial void WeightSet(this ILogger logger, string pool, string backend, int weight, string who);

    [LoggerMessage(1021, LogLevel.Information,
        "{Signal}: reporting not ready; still accepting connections for {Delay}. A second signal stops the daemon immediately")]
    public static partial void Delaying(this ILogger logger, string signal, string delay);

    [LoggerMessage(1022, LogLevel.Warning, "{Signal}: reload skipped: the daemon is shutting down")]
    public static partial void NotReloadedAtTheEnd(this ILogger logger, string signal);

    [LoggerMessage(1023, LogLevel.Error, "{Signal}: configuration reload failed with an unexpected error")]
    public static partial void ReloadBroke(this ILogger logger, string signal, Exception exception);

    [LoggerMessage(1072, LogLevel.Information,
        "state restored from {Path}: drain, maintenance or weight of {Count} backends; {Dropped} entries no longer apply to the file")]
    public static partial void StateRestored(this ILogger logger, string path, int count, int dropped);

    [LoggerMessage(1073, LogLevel.Warning,
        "state file {Path} cannot be used ({Why}): it was renamed to {Aside}, and the daemon starts with what the configuration says")]
    public static partial void StateSetAside(this ILogger logger, string path, string why, string aside);

    [LoggerMessage(1074, LogLevel.Warning,
        "state file {Path} cannot be used ({Why}) and cannot be renamed ({Fault}): the daemon starts with what the configuration says")]
    public static partial void StateNotRead(this ILogger logger, string path, string why, string fault);

    [LoggerMessage(1075, LogLevel.Warning,
        "state file {Path} could not be written ({Why}): drain, maint and weight set at run time would not outlive a restart. It is tried again every 30 s; check "
        + "the disk and the permissions of its directory, or set state_file")]
    public static partial void StateNotSaved(this ILogger logger, string path, string why);

    [LoggerMessage(1076, LogLevel.Warning, "watch: {Path} is gone; the configuration stays in force, and the file is read when it is back")]
    public static partial void WatchedFileGone(this ILogger logger, string path);

    [LoggerMessage(1024, LogLevel.Error, "a control plane change failed with an unexpected error")]
    public static partial void ChangeFailed(this ILogger logger, Exception exception);

    [LoggerMessage(1030, LogLevel.Warning,
        "source address {Source}: {InUse} of {Limit} local ports to {Destination} are in use: "
        + "add addresses to source_ips, add backends, or widen ip_local_port_range")]
    public static partial void PortsScarce(this ILogger logger, string source, string destination, int inUse, int limit);

    [LoggerMessage(1031, LogLevel.Warning, "{Count} more destinations are running out of local ports")]
    public static partial void MorePortsScarce(this ILogger logger, int count);

    [LoggerMessage(1032, LogLevel.Information, "ip_local_port_range changed: {Count} local ports available")]
    public static partial void PortRangeChanged(this ILogger logger, int count);

    [LoggerMessage(1660, LogLevel.Warning, "{Warning}")]
    public static partial void BufferLimited(this ILogger logger, string warning);

    [LoggerMessage(1033, LogLevel.Warning, "{Warning}")]
    public static partial void PortsRest(this ILogger logger, string warning);

    [LoggerMessage(1035, LogLevel.Error, "{Job} failed; it will be retried")]
    public static partial void PeriodicJobFailed(this ILogger logger, string job, Exception exception);

    [LoggerMessage(1100, LogLevel.Warning, "backend {Pool}/{Backend} ({Address}) is down: {Detail}")]
    public static partial void BackendDown(this ILogger logger, string pool, string backend, string address, string detail);

    [LoggerMessage(1101, LogLevel.Information, "backend {Pool}/{Backend} ({Address}) is up")]
    public static partial void BackendUp(this ILogger logger, string pool, string backend, string address);

    [LoggerMessage(1110, LogLevel.Warning,
        "backend {Pool}/{Backend} ({Address}) is degraded: {Detail}. It receives no new connections; established connections are kept")]
    public static partial void BackendDegraded(this ILogger logger, string pool, string backend, string address, string detail);

    [LoggerMessage(1102, LogLevel.Error, "pool {Pool} has no backend that is up: new connections are refused")]
    public static partial void PoolDead(this ILogger logger, string pool);

    [LoggerMessage(2260, LogLevel.Information, "pool {Pool} has a backend again: new connections are served")]
    public static partial void PoolServesAgain(this ILogger logger, string pool);

    [LoggerMessage(1103, LogLevel.Warning, "probe of {Pool}/{Backend} inconclusive ({Detail}); backend health unchanged")]
    public static partial void ProbeSaysNothing(this ILogger logger, string pool, string backend, string detail);

    [LoggerMessage(1104, LogLevel.Error, "could not process a health report")]
    public static partial void ReportFailed(this ILogger logger, Exception exception);

    [LoggerMessage(1113, LogLevel.Information, "backend {Pool}/{Backend}: {Address} resolves to {Endpoint}")]
    public static partial void BackendResolved(this ILogger logger, string pool, string backend, string address, string endpoint);

    [LoggerMessage(1115, LogLevel.Warning,
        "backend {Pool}/{Backend} ({Address}): connects to {Old} fail; the next address of its name, {Next}, is used for new connections")]
    public static partial void BackendMoved(this ILogger logger, string pool, string backend, string address, string old, string next);

    [LoggerMessage(1111, LogLevel.Warning, "host name {Host} does not resolve: {Fault}. Addresses still in use: {Addresses}")]
    public static partial void NameFails(this ILogger logger, string host, string fault, string addresses);

    [LoggerMessage(1112, LogLevel.Information, "host name {Host} resolves again: {Addresses}")]
    public static partial void NameAnswers(this ILogger logger, string host, string addresses);

    [LoggerMessage(1171, LogLevel.Error,
        "backend {Pool}/{Backend}: {Name} resolves to {Address}, which is {Listener} of this daemon: that address is not used, because the balancer would connect "
        + "to itself. Correct the name's records, or the address of the backend")]
    public static partial void OwnAddressNotUsed(this ILogger logger, string pool, string backend, string name, string address, string listener);

    [LoggerMessage(1114, LogLevel.Error, "could not apply newly resolved host names: {Fault}")]
    public static partial void NamesNotInForce(this ILogger logger, string fault);

    [LoggerMessage(1200, LogLevel.Information, "metrics on http://{Endpoint}/metrics")]
    public static partial void MetricsListening(this ILogger logger, string endpoint);

    [LoggerMessage(1300, LogLevel.Warning,
        "access log fell behind: {Count} records dropped")]
    public static partial void RecordsDropped(this ILogger logger, long count);

    [LoggerMessage(1302, LogLevel.Warning, "access log: suppressed {Count} lines of failures (limit per second exceeded)")]
    public static partial void FailuresSuppressed(this ILogger logger, int count);

    [LoggerMessage(1301, LogLevel.Error, "could not write a record to the access log")]
    public static partial void RecordFailed(this ILogger logger, Exception exception);

    [LoggerMessage(1571, LogLevel.Warning,
        "LISTEN_FDS promises {Promised} sockets, but {Lacking} of these descriptors are no sockets that were passed to this process ({Descriptors}): they are left "
        + "alone. Check the program that starts the daemon, which may close descriptors")]
    public static partial void SocketsNotPassed(this ILogger logger, int promised, int lacking, string descriptors);

    [LoggerMessage(1500, LogLevel.Error,
        "an event loop has been stuck for {Span}: the systemd watchdog is not notified and ends the process after {Time} "
        + "without a notification")]
    public static partial void LoopHangs(this ILogger logger, string span, string time);
    [LoggerMessage(1400, LogLevel.Information, "admin API on {Address}")]
    public static partial void AdminListening(this ILogger logger, string address);

    [LoggerMessage(1401, LogLevel.Error, "admin API: {Method} {Path} failed")]
    public static partial void AnswerFailed(this ILogger logger, string method, string? path, Exception exception);

    [LoggerMessage(1402, LogLevel.Warning, "local admin socket {Path} is not available: {Fault}")]
    public static partial void NoSocket(this ILogger logger, string path, string fault);

    [LoggerMessage(1403, LogLevel.Warning,
        "no local admin socket: no default directory for this user (XDG_RUNTIME_DIR is not set); set [admin] socket to a path, or to \"\"")]
    public static partial void NoFolderForSocket(this ILogger logger);

    [LoggerMessage(1404, LogLevel.Warning, "token_file {Path}: {Fault}")]
    public static partial void TokenFileFault(this ILogger logger, string path, string fault);

    [LoggerMessage(1405, LogLevel.Information, "closing connection {Id}: requested by {Who}")]
    public static partial void ConnectionClosed(this ILogger logger, ulong id, string who);

    [LoggerMessage(1410, LogLevel.Warning,
        "{Table}: too many connections, the latest from {Source}: {Effect} ({Count} times since the last such line). At most {PerSource} "
        + "connections per address without the token, {Most} in all: send the token, or keep the address away by a firewall")]
    public static partial void TooManyConnections(
        this ILogger logger, string table, string source, string effect, int perSource, int most, long count);

    [LoggerMessage(1411, LogLevel.Warning,
        "admin API: wrong token from {Who} ({Count} times since the last such line): correct the token of that client, or keep the address "
        + "away by a firewall")]
    public static partial void WrongToken(this ILogger logger, string who, long count);

    [LoggerMessage(1203, LogLevel.Warning,
        "could not push metrics to {Endpoint} ({Count} times so far): {Fault}. Retrying every {Every}; traffic is not affected")]
    public static partial void PushFailed(this ILogger logger, string endpoint, int count, string fault, string every);

    [LoggerMessage(1204, LogLevel.Information, "pushing metrics to {Endpoint}")]
    public static partial void Pushed(this ILogger logger, string endpoint);

    [LoggerMessage(1600, LogLevel.Information, "backend {Pool}/{Backend}: closing {Count} connections ({Reason})")]
    public static partial void SheddingBegins(this ILogger logger, string pool, string backend, int count, string reason);

    [LoggerMessage(1601, LogLevel.Information, "backend {Pool}/{Backend}: {Count} connections closed ({Reason})")]
    public static partial void SheddingEnds(this ILogger logger, string pool, string backend, long count, string reason);

    [LoggerMessage(1602, LogLevel.Error, "pool {Pool}: paced closing of connections failed")]
    public static partial void SheddingFailed(this ILogger logger, string pool, Exception exception);

    [LoggerMessage(1620, LogLevel.Information, "closing {Count} connections ({What}): requested by {Who}")]
    public static partial void FilteredCloseBegins(this ILogger logger, int count, string what, string who);

    [LoggerMessage(1621, LogLevel.Information, "{Count} connections closed ({What}, {Reason})")]
    public static partial void FilteredCloseEnds(this ILogger logger, string what, int count, string reason);

    [LoggerMessage(1622, LogLevel.Error, "closing connections ({What}) failed")]
    public static partial void FilteredCloseFailed(this ILogger logger, string what, Exception exception);

    [LoggerMessage(1603, LogLevel.Information, "{Who}: requested a rebalance of pool {Pool}")]
    public static partial void RebalanceAsked(this ILogger logger, string pool, string who);

    [LoggerMessage(1604, LogLevel.Information, "pool {Pool}: rebalance started, {Count} surplus connections")]
    public static partial void RebalanceBegins(this ILogger logger, string pool, int count);

    [LoggerMessage(1606, LogLevel.Information, "{Who}: stopped the rebalance of pool {Pool}")]
    public static partial void RebalanceStopped(this ILogger logger, string pool, string who);

    [LoggerMessage(1605, LogLevel.Information, "pool {Pool}: rebalance finished, {Count} connections closed")]
    public static partial void RebalanceEnds(this ILogger logger, string pool, int count);

    [LoggerMessage(1800, LogLevel.Warning, "backend {Pool}/{Backend} ({Address}) stays up: {Down} of the {See} balancers that probe it hold it down, this one included ({Detail})")]
    public static partial void BackendKeptUp(this ILogger logger, string pool, string backend, string address, int down, int see, string detail);

    [LoggerMessage(1801, LogLevel.Information, "fleet {Name}: etcd answers; {Count} balancers are known")]
    public static partial void FleetConnected(this ILogger logger, string name, int count);

    [LoggerMessage(1802, LogLevel.Warning, "fleet {Name}: etcd is away ({Why}): this balancer goes on with what it knows, and what is set here is shared when etcd is back")]
    public static partial void FleetAway(this ILogger logger, string name, string why);

    [LoggerMessage(1803, LogLevel.Information, "fleet {Name}: joined as {Id}")]
    public static partial void FleetJoined(this ILogger logger, string name, string id);

    [LoggerMessage(
        1804, LogLevel.Error,
        "fleet {Name}: another process ({Host}, started {Started:u}) has the id {Id}: the others do not see this balancer until that one ends; give each its own [fleet] id")]
    public static partial void FleetIdTaken(this ILogger logger, string name, string id, string host, DateTimeOffset started);

    [LoggerMessage(1805, LogLevel.Warning, "fleet {Name}: the lease of {Id} has ended, because it was not renewed in time: joining again")]
    public static partial void FleetLeaseLost(this ILogger logger, string name, string id);

    [LoggerMessage(1806, LogLevel.Warning, "fleet {Name}: etcd has lost what it had: what operators have set holds on, and is written again")]
    public static partial void FleetStoreLost(this ILogger logger, string name);

    [LoggerMessage(1807, LogLevel.Warning, "fleet {Name}: the value of {Key} cannot be read as an intent and is left alone: delete the key, and set the value anew")]
    public static partial void FleetIntentUnreadable(this ILogger logger, string name, string key);

    [LoggerMessage(1808, LogLevel.Error, "the fleet's part of the daemon failed and starts again")]
    public static partial void FleetFailed(this ILogger logger, Exception exception);

    [LoggerMessage(1809, LogLevel.Information, "fleet {Name}: balancer {Id} has joined")]
    public static partial void FleetMemberJoined(this ILogger logger, string name, string id);

    [LoggerMessage(1810, LogLevel.Information, "fleet {Name}: balancer {Id} has left")]
    public static partial void FleetMemberLeft(this ILogger logger, string name, string id);

    [LoggerMessage(1760, LogLevel.Information, "endpoint API on {Address}")]
    public static partial void EndpointListening(this ILogger logger, string address);

    [LoggerMessage(1761, LogLevel.Warning, "[endpoint] secret_file {Path}: {Fault}; the secret read before remains in force")]
    public static partial void EndpointSecretFault(this ILogger logger, string path, string fault);

    [LoggerMessage(1762, LogLevel.Information, "[endpoint] cert_file {Path}: the new certificate is in force, valid until {Until:yyyy-MM-dd HH:mm} UTC")]
    public static partial void EndpointCertificateRead(this ILogger logger, string path, DateTime until);

    [LoggerMessage(1763, LogLevel.Warning, "[endpoint] the changed certificate is not used, the one before remains in force: {Fault}")]
    public static partial void EndpointCertificateFault(this ILogger logger, string fault);

    [LoggerMessage(1764, LogLevel.Error, "endpoint API: {Method} {Path} failed")]
    public static partial void EndpointAnswerFailed(this ILogger logger, string method, string path, Exception exception);

    [LoggerMessage(1765, LogLevel.Error, "endpoint API: the certificate could not be looked at; this is tried again every second")]
    public static partial void EndpointUpkeepFailed(this ILogger logger, Exception exception);

    [LoggerMessage(1766, LogLevel.Warning,
        "{Table}: too many connections, the latest from {Source}: {Effect} ({Count} times since the last such line). At most {PerSource} "
        + "connections per address, {Most} in all: keep an address that does harm away by a firewall")]
    public static partial void TooManyClients(
        this ILogger logger, string table, string source, string effect, int perSource, int most, long count);

    [LoggerMessage(1780, LogLevel.Information, "answering DNS for {Zone} on {Address} (UDP and TCP)")]
    public static partial void DnsListening(this ILogger logger, string zone, string address);

    [LoggerMessage(1781, LogLevel.Warning, "[dns] {Zone} lacks {What}; rename it")]
    public static partial void NotInZone(this ILogger logger, string zone, string what);

    [LoggerMessage(1782, LogLevel.Warning,
        "[dns] {Zone} itself has no address: set [dns] address to the public addresses of this balancer")]
    public static partial void ZoneWithoutAddress(this ILogger logger, string zone);

    [LoggerMessage(1783, LogLevel.Warning,
        "DNS: more questions than rate_per_source = {Rate} a second, the latest from {Source}: dropped ({Count} times since the last such line), "
        + "or answered empty so that the client comes by TCP")]
    public static partial void DnsLimited(this ILogger logger, string source, long count, int rate);

    [LoggerMessage(1784, LogLevel.Error, "DNS: answering a question failed ({Count} times since the last such line); it stays without an answer")]
    public static partial void DnsFault(this ILogger logger, long count, Exception exception);

    [LoggerMessage(1700, LogLevel.Information,
        "pool {Pool}: {Source} has {Count} backends (version \"{Version}\"): {Added} added, {Removed} removed, {Changed} changed")]
    public static partial void SetBelieved(
        this ILogger logger, string pool, string source, int count, string version, int added, int removed, int changed);

    [LoggerMessage(1701, LogLevel.Warning,
        "pool {Pool}: {Source} has only {Count} backends (version \"{Version}\"), and {InUse} are in use: nothing changes before this has lasted "
        + "for {Hold} and was read a second time")]
    public static partial void SetHeld(this ILogger logger, string pool, string source, int count, string version, int inUse, string hold);

    [LoggerMessage(1702, LogLevel.Warning, "pool {Pool}: {Source} says nothing: {Why}. The {Count} backends that are known stay in use")]
    public static partial void SourceUnknown(this ILogger logger, string pool, string source, string why, int count);

    [LoggerMessage(1703, LogLevel.Information, "pool {Pool}: {Source} answers again")]
    public static partial void SourceKnown(this ILogger logger, string pool, string source);

    [LoggerMessage(1704, LogLevel.Information, "pool {Pool}: {Source} has the {Count} backends again that are in use")]
    public static partial void SetNotHeld(this ILogger logger, string pool, string source, int count);

    [LoggerMessage(1705, LogLevel.Error, "pool {Pool}: the watch of {Source} has failed; it begins anew after {Pause}")]
    public static partial void WatchFailed(this ILogger logger, string pool, string source, string pause, Exception? exception);

    [LoggerMessage(1706, LogLevel.Warning, "pool {Pool}: the discovered backend {Address} is not used: {Why}")]
    public static partial void DiscoveredNotUsed(this ILogger logger, string pool, string address, string why);

    [LoggerMessage(1707, LogLevel.Error, "the backends that were discovered are not in force: {Failure}")]
    public static partial void DiscoveredNotInForce(this ILogger logger, string failure);

    [LoggerMessage(1708, LogLevel.Information,
        "backend {Pool}/{Backend}: what was set for it at run time is forgotten, because its source has not had it for {Time}")]
    public static partial void OverrideForgotten(this ILogger logger, string pool, string backend, string time);

    [LoggerMessage(1370, LogLevel.Information, "{Name}: goes on with the listening socket of the process before")]
    public static partial void ControlSocketTaken(this ILogger logger, string name);

    [LoggerMessage(1371, LogLevel.Information, "{Name}: nothing in this configuration has the address of the listening socket of the process before; it is closed")]
    public static partial void ControlSocketForNothing(this ILogger logger, string name);

    [LoggerMessage(1340, LogLevel.Information, "connections outlive a crash of this daemon: process {Keeper} keeps them for {Timeout}")]
    public static partial void KeeperRuns(this ILogger logger, int keeper, string timeout);

    [LoggerMessage(1341, LogLevel.Information, "connections do not outlive a crash of this daemon: {Why}")]
    public static partial void KeeperNotWanted(this ILogger logger, string why);

    [LoggerMessage(1342, LogLevel.Warning, "connections do not outlive a crash of this daemon, there is no keeper: {Why}")]
    public static partial void NoKeeper(this ILogger logger, string why);

    [LoggerMessage(1343, LogLevel.Warning, "the keeper, process {Before}, has ended without being asked; process {Now} has taken its place")]
    public static partial void KeeperReplaced(this ILogger logger, int before, int now);

    [LoggerMessage(1344, LogLevel.Error,
        "the keeper, process {Before}, has ended, and no other one can be started ({Why}): connections do not outlive a crash of this daemon until "
        + "one can; this is tried again every second")]
    public static partial void KeeperNotReplaced(this ILogger logger, int before, string why);

    [LoggerMessage(1345, LogLevel.Warning,
        "process {Daemon} has ended without stopping: its keeper, process {Keeper}, has its sockets, and its ledger names {Count} connections")]
    public static partial void PredecessorFound(this ILogger logger, int daemon, int keeper, int count);

    [LoggerMessage(1346, LogLevel.Error,
        "the ledger of process {Daemon} cannot be used ({Fault}): its connections are reset")]
    public static partial void LedgerNotUsed(this ILogger logger, int daemon, LedgerFault fault);

    [LoggerMessage(1347, LogLevel.Error,
        "process {Daemon} has left sockets that cannot be taken over: {Why}. Its connections end with its keeper, and until then its ports are in use")]
    public static partial void PredecessorNotReached(this ILogger logger, int daemon, string why);

    [LoggerMessage(1348, LogLevel.Error, "listening sockets of process {Daemon} are missing: {Why}")]
    public static partial void ListeningNotTaken(this ILogger logger, int daemon, string why);

    [LoggerMessage(1349, LogLevel.Error,
        "three daemons have ended within a minute while they took over connections: all of these are reset")]
    public static partial void HeirsFailed(this ILogger logger);

    [LoggerMessage(1350, LogLevel.Warning,
        "connections of process {Daemon}: {Adopted} go on here, {Reset} were reset, because bytes of theirs were lost with it, or they had no backend yet "
        + "({Milliseconds:0} ms)")]
    public static partial void Recovered(this ILogger logger, int daemon, int adopted, int reset, double milliseconds);

    [LoggerMessage(1351, LogLevel.Warning, "the keeper of a crashed daemon, process {Keeper}, does not answer any more: it ends by itself")]
    public static partial void KeeperNotEnded(this ILogger logger, int keeper);

    [LoggerMessage(1352, LogLevel.Error,
        "another process has begun to take over what a crashed daemon has left, and has not come to its end within {Seconds:0} s ({Path} is locked): only the "
        + "listening sockets are used here too, so that new connections are served. The established ones are its to take, or are taken here once it has ended")]
    public static partial void OtherHeir(this ILogger logger, string path, double seconds);

    [LoggerMessage(1372, LogLevel.Information, "pool {Pool}: begins with the {Count} backends that were discovered before the restart, until its source answers")]
    public static partial void BeganWithSaved(this ILogger logger, string pool, int count);

    // Upgrades: what both processes log.
    [LoggerMessage(1303, LogLevel.Information, "{Who}: requested an upgrade; the new process is started from {File}")]
    public static partial void UpgradeBegins(this ILogger logger, string who, string file);

    [LoggerMessage(1304, LogLevel.Warning, "{Who}: requested an upgrade, which was refused: {Why}")]
    public static partial void UpgradeRefused(this ILogger logger, string who, string why);

    [LoggerMessage(1305, LogLevel.Information,
        "upgrade: process {Process} serves now. {Moved} connections were moved, the longest stood still for {Longest:0.0} ms; "
        + "{Left} end in this process, which then ends")]
    public static partial void UpgradeDone(this ILogger logger, int process, int moved, int left, double longest);

    [LoggerMessage(1306, LogLevel.Error, "upgrade failed, this process goes on: {Why}")]
    public static partial void UpgradeFailed(this ILogger logger, string why);

    [LoggerMessage(1307, LogLevel.Error, "upgrade failed by a fault of this process, which goes on")]
    public static partial void UpgradeBroke(this ILogger logger, Exception exception);

    [LoggerMessage(1308, LogLevel.Information, "replacing process {Process} ({Build}): requested by {Who}")]
    public static partial void Replacing(this ILogger logger, int process, string build, string who);

    [LoggerMessage(1309, LogLevel.Information,
        "replaced process {Process}: {Moved} connections were taken over, {Left} end in that process")]
    public static partial void HasReplaced(this ILogger logger, int process, int moved, int left);

    [LoggerMessage(1310, LogLevel.Warning,
        "process {Process}, which this one was replacing, has ended in the middle of it: this one goes on alone ({Why})")]
    public static partial void GoesOnAlone(this ILogger logger, int process, string why);

    [LoggerMessage(1311, LogLevel.Warning, "connection {Id} stays with process {Process}: {Why}")]
    public static partial void ConnectionNotTaken(this ILogger logger, ulong id, int process, string why);

    [LoggerMessage(1312, LogLevel.Error, "connection {Id} was taken over but could not be served, and is reset: {Why}")]
    public static partial void ConnectionNotServed(this ILogger logger, ulong id, string why);

    [LoggerMessage(1313, LogLevel.Error,
        "process {Process}, which this one was replacing, has ended before this one was the main process of the service: this process ends "
        + "too, so that the service manager starts another, which takes the connections of both from their keepers")]
    public static partial void EndsForManager(this ILogger logger, int process);

    [LoggerMessage(1314, LogLevel.Information, "this process has been replaced and ends")]
    public static partial void Replaced(this ILogger logger);

    [LoggerMessage(1316, LogLevel.Error, "taking over from process {Process} failed by a fault of this process")]
    public static partial void TakingOverBroke(this ILogger logger, int process, Exception exception);

    [LoggerMessage(2100, LogLevel.Information,
        "{Who}: requested a reload, which is held back until the upgrade under way has ended; the process that serves then does it")]
    public static partial void ReloadHeld(this ILogger logger, string who);

    [LoggerMessage(2101, LogLevel.Warning,
        "this process is stopping before it has replaced process {Process}, which goes on with all connections")]
    public static partial void LeavesToOldProcess(this ILogger logger, int process);

    [LoggerMessage(1335, LogLevel.Warning,
        "{Variable}={Value}: the first upgrade of this process will meet this fault; the variable is for tests, remove it from the "
        + "environment")]
    public static partial void FaultsAsked(this ILogger logger, string variable, string value);

    // Packet listeners: 2160 to 2179.
    [LoggerMessage(2160, LogLevel.Information, "listener {Listener}: packets to {Addresses} are sent on by {Attachment}")]
    public static partial void PacketsAreSentOn(this ILogger log, string listener, string addresses, string attachment);

    [LoggerMessage(2161, LogLevel.Error, "listener {Listener}: new flows go where they went before, because {Fault}; tried again in {After}")]
    public static partial void PacketsNotPublished(this ILogger log, string listener, string fault, string after);

    [LoggerMessage(
        2162, LogLevel.Warning,
        "backend {Pool}/{Backend}: listener {Listener} has flows = 0, so that the established flows of this backend break: their packets go to other backends from now on")]
    public static partial void FlowsBreak(this ILogger log, string pool, string backend, string listener);

    [LoggerMessage(
        2163, LogLevel.Warning,
        "backend {Pool}/{Backend}: its port {Port} is not that of listener {Listener}; packets keep their port, so that they reach another service of this host, or none")]
    public static partial void PortIsAnother(this ILogger log, string pool, string backend, int port, string listener);

    [LoggerMessage(2164, LogLevel.Warning, "what an earlier daemon has left for packet listeners is still there: {Fault}")]
    public static partial void PacketsLeft(this ILogger log, string fault);

    [LoggerMessage(2165, LogLevel.Information, "packets are no longer sent on: what was attached for packet listeners is removed")]
    public static partial void PacketsEnd(this ILogger log);

    [LoggerMessage(2166, LogLevel.Error, "packets are sent on as they were at the beginning of the upgrade, because what was attached could not be taken back: {Fault}")]
    public static partial void PacketsNotTakenBack(this ILogger log, string fault);
}
