using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>The allowed words of settings with a closed set of values.</summary>
internal static class Vocabulary
{
    public static readonly Choice<EngineKind> Engine = new(
        [("auto", EngineKind.Auto), ("epoll", EngineKind.Epoll), ("managed", EngineKind.Managed)]);

    public static readonly Choice<AccessLogMode> AccessLog = new(
        [("off", AccessLogMode.Off), ("failures", AccessLogMode.Failures), ("all", AccessLogMode.All)]);

    public static readonly Choice<LogFormat?> LogFormat = new(
        [("text", Config.LogFormat.Text), ("json", Config.LogFormat.Json), ("journal", Config.LogFormat.Journal)]);

    public static readonly Choice<LogLevel> LogLevel = new(
        [
            ("trace", Config.LogLevel.Trace),
            ("debug", Config.LogLevel.Debug),
            ("info", Config.LogLevel.Info),
            ("warning", Config.LogLevel.Warning),
            ("error", Config.LogLevel.Error),
        ]);

    public static readonly Choice<BalanceKind> Balance = new(
        [
            ("ring", BalanceKind.Ring),
            ("maglev", BalanceKind.Maglev),
            ("least-connections", BalanceKind.LeastConnections),
            ("random-two", BalanceKind.RandomTwo),
            ("round-robin", BalanceKind.RoundRobin),
        ]);

    public static readonly Choice<InspectKind> Inspect = new(
        [("none", InspectKind.None), ("tls", InspectKind.Tls), ("http", InspectKind.Http)]);

    public static readonly Choice<InspectFailed> InspectFailed = new(
        [("default", Config.InspectFailed.Default), ("refuse", Config.InspectFailed.Refuse)]);

    public static readonly Choice<SendProxy> SendProxy = new(
        [("none", Config.SendProxy.None), ("v1", Config.SendProxy.V1), ("v2", Config.SendProxy.V2)]);

    public static readonly Choice<ListenerMode> Mode = new(
        [("relay", ListenerMode.Relay), ("packet", ListenerMode.Packet)]);

    public static readonly Choice<PacketForward> Forward = new(
        [("l2", PacketForward.L2), ("ipip", PacketForward.Ipip)]);

    public static readonly Choice<OnPoolDown> OnPoolDown = new(
        [("refuse", Config.OnPoolDown.Refuse), ("stop-listening", Config.OnPoolDown.StopListening)]);

    public static readonly Choice<OnBackendDown> OnBackendDown = new(
        [("keep", Config.OnBackendDown.Keep), ("close", Config.OnBackendDown.Close)]);

    public static readonly Choice<OnBackendRemoved> OnBackendRemoved = new(
        [("keep", Config.OnBackendRemoved.Keep), ("close", Config.OnBackendRemoved.Close)]);

    public static readonly Choice<FleetHealth> FleetHealth = new(
        [("own", Config.FleetHealth.Own), ("vote", Config.FleetHealth.Vote)]);

    public static readonly Choice<SentinelRole> SentinelRole = new(
        [("master", Config.SentinelRole.Master), ("replica", Config.SentinelRole.Replica)]);

    public static readonly Choice<TupleFields> HashKey = new(
        [
            ("source-ip", TupleFields.SourceIp),
            ("source-port", TupleFields.SourcePort),
            ("destination-ip", TupleFields.DestinationIp),
            ("destination-port", TupleFields.DestinationPort),
            ("source-net", TupleFields.SourceNet),
        ]);

    public static readonly Choice<HealthType> Health = new(
        [
            ("none", HealthType.None),
            ("tcp", HealthType.Tcp),
            ("tls", HealthType.Tls),
            ("http", HealthType.Http),
            ("https", HealthType.Https),
            ("ws", HealthType.Ws),
            ("wss", HealthType.Wss),
            ("mqtt", HealthType.Mqtt),
            ("mqtts", HealthType.Mqtts),
        ]);
}
