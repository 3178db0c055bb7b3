using System.Runtime.Versioning;
using L4Balancer.Engine.Linux;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Packets;

/// <summary>
/// The program that takes the packets of one interface: attached or taken over, replaced, and attached again once it is not there any more. Under the
/// lock of the plane.
/// </summary>
/// <param name="maps">The maps that the program is to read.</param>
[SupportedOSPlatform("linux")]
internal sealed class InterfaceProgram(PacketPlaneOptions options, ILogger logger, NetlinkSocket netlink, PinFolder folder, Func<PacketMaps> maps)
    : IDisposable
{
    private Attachment? _attachment;
    private string _fault = "";

    public bool IsAttached => _attachment is not null;

    /// <summary>As text for people; empty: it is not attached.</summary>
    public override string ToString() => _attachment?.ToString() ?? "";

    /// <exception cref="PacketFaultException">It cannot be loaded, or not be attached in any way.</exception>
    public void Attach(in InterfaceFacts facts)
    {
        _attachment = Attachment.TryTakeOver(folder, netlink, facts, Load)
            ?? Attachment.Attach(folder, netlink, facts, options.Modes, Load);
        _fault = "";
        if (_attachment.IsTakenOver)
        {
            logger.PacketsTakenOver(ToString());
        }
        else if (_attachment.Tried.Length > 0)
        {
            logger.PacketsTakenOtherwise(ToString(), _attachment.Tried);
        }
        else
        {
            logger.PacketsTaken(ToString());
        }
    }

    /// <summary>As <see cref="Attach"/>, where it is not attached; a fault is logged once, however often this is called.</summary>
    public void AttachIfNot(in InterfaceFacts facts)
    {
        if (_attachment is not null)
        {
            return;
        }

        try
        {
            Attach(facts);
        }
        catch (PacketFaultException e)
        {
            if (_fault != e.Message)
            {
                _fault = e.Message;
                logger.PacketsNotTaken(e.Message, options.NeighbourInterval.TotalSeconds);
            }
        }
    }

    /// <summary>Finds out whether another process has detached it.</summary>
    public void Look()
    {
        if (_attachment?.IsThere() == false)
        {
            logger.ProgramDetached(folder.Interface);
            Forget();
        }
    }

    /// <summary>The interface has gone, and the program with it.</summary>
    public void Forget()
    {
        _attachment?.Dispose();
        _attachment = null;
    }

    /// <summary>Puts a program with other maps in its place, where it is attached.</summary>
    public Errno Replace() => _attachment is null ? Errno.None : _attachment.Replace(netlink, Load);

    /// <summary>Everything stays attached.</summary>
    public void Dispose() => Forget();

    private int Load(PacketHook hook)
    {
        SysResult program = Bpf.Load(hook.ProgramType, PacketProgram.Assemble(maps(), hook), out string log);
        if (program.IsError)
        {
            const int end = 400;
            throw new PacketFaultException(
                $"interface {folder.Interface}: the program cannot be loaded ({program.Errno}): {KernelNeeds.Mend(program.Errno)} "
                + log[Math.Max(0, log.Length - end)..]);
        }

        return program.Value;
    }
}
