namespace L4Balancer.Metrics;

/// <summary>Every metric and label that users see, as published. Changing one breaks dashboards.</summary>
internal static class MetricNames
{
    public const string Meter = "L4Balancer";

    public const string ConnectionsAccepted = "l4balancer_connections_accepted_total";
    public const string ConnectionsRefused = "l4balancer_connections_refused_total";
    public const string ConnectionsPending = "l4balancer_connections_pending";
    public const string ConnectionsHalfClosed = "l4balancer_connections_half_closed";
    public const string RouteKeyMissing = "l4balancer_route_key_missing_total";
    public const string QueueAbandoned = "l4balancer_queue_abandoned_total";
    public const string StickyEntries = "l4balancer_sticky_entries";
    public const string DiscoveryBackends = "l4balancer_discovery_backends";
    public const string DiscoveryAge = "l4balancer_discovery_age_seconds";
    public const string DiscoveryErrors = "l4balancer_discovery_errors_total";
    public const string EndpointAnswers = "l4balancer_endpoint_answers_total";
    public const string HeldMemory = "l4balancer_held_memory_bytes";
    public const string EventLoopStalls = "l4balancer_event_loop_stalls_total";
    public const string SplicedBytes = "l4balancer_spliced_bytes_total";
    public const string ConnectionsActive = "l4balancer_connections_active";
    public const string ConnectionsClosed = "l4balancer_connections_closed_total";
    public const string ConnectionsShed = "l4balancer_connections_shed_total";
    public const string RelayedBytes = "l4balancer_relayed_bytes_total";
    public const string Packets = "l4balancer_packets_total";
    public const string PacketBytes = "l4balancer_packet_bytes_total";
    public const string PacketsDropped = "l4balancer_packets_dropped_total";
    public const string PacketAttached = "l4balancer_packet_attached";
    public const string PacketFlows = "l4balancer_packet_flows";
    public const string ConnectAttempts = "l4balancer_connect_attempts_total";
    public const string ConnectFailures = "l4balancer_connect_failures_total";
    public const string ConnectDuration = "l4balancer_connect_duration_seconds";
    public const string ConnectionDuration = "l4balancer_connection_duration_seconds";
    public const string BackendUp = "l4balancer_backend_up";
    public const string BackendState = "l4balancer_backend_state";
    public const string BackendWeight = "l4balancer_backend_weight";
    public const string BackendShareRatio = "l4balancer_backend_share_ratio";
    public const string HealthChecks = "l4balancer_health_checks_total";
    public const string HealthTransitions = "l4balancer_health_transitions_total";
    public const string SourcePortsExhausted = "l4balancer_source_ports_exhausted_total";
    public const string SourcePortsInUse = "l4balancer_source_ports_in_use";
    public const string SourcePortsLimit = "l4balancer_source_ports_limit";
    public const string WorkerConnections = "l4balancer_worker_connections";
    public const string WorkerBusyRatio = "l4balancer_worker_busy_ratio";
    public const string AdminAuthFailures = "l4balancer_admin_auth_failures_total";
    public const string DnsAnswers = "l4balancer_dns_answers_total";
    public const string Reloads = "l4balancer_reloads_total";
    public const string Recovered = "l4balancer_recovered_connections_total";
    public const string Upgrades = "l4balancer_upgrades_total";
    public const string ConfigGeneration = "l4balancer_config_generation";
    public const string FleetMembers = "l4balancer_fleet_members";
    public const string FleetDisagreement = "l4balancer_fleet_disagreement";
    public const string FleetConnected = "l4balancer_fleet_connected";
    public const string BuildInfo = "l4balancer_build_info";

    public const string ProcessOpenDescriptors = "process_open_fds";
    public const string ProcessMaxDescriptors = "process_max_fds";
    public const string ProcessResidentMemory = "process_resident_memory_bytes";
    public const string ProcessCpuSeconds = "process_cpu_seconds_total";
    public const string ProcessStartTime = "process_start_time_seconds";
    public const string ProcessThreads = "process_threads";

    public const string Listener = "listener";
    public const string Pool = "pool";
    public const string Backend = "backend";
    public const string Reason = "reason";
    public const string Direction = "direction";
    public const string Result = "result";
    public const string State = "state";
    public const string SourceIp = "source_ip";
    public const string Worker = "worker";
    public const string Version = "version";
    public const string Commit = "commit";
    public const string Engine = "engine";
    public const string Kind = "kind";

    public const string ToBackend = "to_backend";
    public const string ToClient = "to_client";
    public const string Success = "success";
    public const string Failure = "failure";
    public const string Adopted = "adopted";
    public const string ResetResult = "reset";
    public const string NoBackend = "no_backend";
    public const string Limited = "limited";
    public const string LocalError = "local_error";
    public const string Up = "up";
    public const string Degraded = "degraded";
    public const string Down = "down";
    public const string Draining = "draining";
    public const string Maintenance = "maintenance";
    public const string Checking = "checking";
    public const string Configuration = "configuration";
    public const string Ring = "ring";
    public const string Health = "health";
}
