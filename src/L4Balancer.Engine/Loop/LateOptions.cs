using L4Balancer.Core.Connections;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// Options of a backend's socket that are set when they begin to matter. A connection of one request and one answer ends before that; the
/// four calls of keepalive alone would be 2% of its cost. The client's socket inherits its options from the listening socket, without a call.
/// </summary>
internal static class LateOptions
{
    /// <summary>The backend is connected: notes what its socket lacks.</summary>
    /// <param name="isUnix">A UNIX socket has none of these options.</param>
    public static void Begin(ref Slot slot, bool isUnix)
    {
        slot.LacksKeepalive = !isUnix;
        slot.LacksWriteOptions = !isUnix;
    }

    /// <summary>To be called before each write of new bytes to a backend.</summary>
    /// <param name="mayBePart">More bytes may follow at once, so that this write is treated as a second one.</param>
    public static void BeforeWrite(ref Slot slot, Side to, bool mayBePart)
    {
        if (slot.LacksWriteOptions && to == Side.Backend)
        {
            if (mayBePart || slot.HasWritten)
            {
                SetForWrites(ref slot);
            }

            slot.HasWritten = true;
        }
    }

    /// <summary>The socket has not taken all bytes of a write: the rest is written when it is writable again.</summary>
    public static void WroteInPart(ref Slot slot, Side to)
    {
        if (slot.LacksWriteOptions && to == Side.Backend)
        {
            SetForWrites(ref slot);
        }
    }

    /// <summary>Sets all that is missing, because the connection lasts or leaves this event loop.</summary>
    public static void SetAll(ref Slot slot)
    {
        if (slot.LacksKeepalive)
        {
            slot.LacksKeepalive = false;
            SocketOptions.SetKeepalive(slot.Backend, slot.Record.Origin.Policy.Keepalive);
        }

        if (slot.LacksWriteOptions)
        {
            SetForWrites(ref slot);
        }
    }

    private static void SetForWrites(ref Slot slot)
    {
        slot.LacksWriteOptions = false;
        SocketOptions.ApplyForWrites(slot.Backend);
    }
}
