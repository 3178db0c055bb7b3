using System.Runtime.Versioning;
using L4Balancer.Engine.Packets;

namespace L4Balancer.Engine.Tests.Packets;

/// <summary>A process that forwards packets until it is killed. Runs in the namespace of the balancer.</summary>
[SupportedOSPlatform("linux")]
internal static class PacketVictimBody
{
    public const string Ready = "ready";

    public static async Task RunAsync(string folder, string mode)
    {
        using PacketPlane plane = PacketPlane.Start(PlaneScene.Options(folder, Enum.Parse<AttachMode>(mode)), [PlaneScene.Listener()]);
        Console.WriteLine(Ready);
        await Task.Delay(Timeout.Infinite);
    }
}
