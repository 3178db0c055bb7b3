using System.Runtime.InteropServices;
using System.Threading.Channels;

namespace L4Balancer.Hosting;

/// <summary>A signal that the daemon handles.</summary>
internal enum Signal
{
    Terminate,
    Interrupt,
    Quit,
    Hangup,
    User1,
    User2,
}

/// <summary>
/// The signals of the contract, caught from construction to disposal, so that none of them kills the process. They are delivered in order
/// to one reader.
/// </summary>
internal sealed class Signals : IDisposable
{
    // <asm-generic/signal.h>: the same on x86-64 and arm64. PosixSignal has no names for them; a positive value is a raw signal number of
    // the platform.
    private const int SIGUSR1 = 10;
    private const int SIGUSR2 = 12;

    // Without a reference from here, the finalizers of the registrations could release the signals.
    private static Signals? _ofProcess;

    private readonly Channel<Signal> _arrived = Channel.CreateUnbounded<Signal>();
    private readonly List<PosixSignalRegistration> _registrations = [];

    public Signals()
    {
        Catch(PosixSignal.SIGTERM, Signal.Terminate);
        Catch(PosixSignal.SIGINT, Signal.Interrupt);
        Catch(PosixSignal.SIGQUIT, Signal.Quit);
        Catch(PosixSignal.SIGHUP, Signal.Hangup);
        if (OperatingSystem.IsLinux())
        {
            Catch((PosixSignal)SIGUSR1, Signal.User1);
            Catch((PosixSignal)SIGUSR2, Signal.User2);
        }
    }

    public ChannelReader<Signal> Arrived => _arrived.Reader;

    /// <summary>
    /// Catches the signals until the process ends. They must not be released before: a signal that arrived before the one that ended the
    /// process may not have been handled yet, and would then kill it.
    /// </summary>
    public static Signals CatchUntilExit() => _ofProcess ??= new Signals();

    /// <summary>The name as in <c>kill -l</c>.</summary>
    public static string NameOf(Signal signal) => signal switch
    {
        Signal.Terminate => "SIGTERM",
        Signal.Interrupt => "SIGINT",
        Signal.Quit => "SIGQUIT",
        Signal.Hangup => "SIGHUP",
        Signal.User1 => "SIGUSR1",
        _ => "SIGUSR2",
    };

    /// <summary>Waits until this work has completed, or until a signal asks to stop. Other signals stay in the queue.</summary>
    /// <returns>The signal that asks to stop; null if the work has completed. Its exception, if any, is left to the caller.</returns>
    public async Task<Signal?> StopBeforeAsync(Task work)
    {
        List<Signal> others = [];
        using var completed = new CancellationTokenSource();
        try
        {
            while (!work.IsCompleted)
            {
                while (_arrived.Reader.TryRead(out Signal signal))
                {
                    if (signal is Signal.Terminate or Signal.Interrupt or Signal.Quit)
                    {
                        return signal;
                    }

                    others.Add(signal);
                }

                await Task.WhenAny(work, _arrived.Reader.WaitToReadAsync(completed.Token).AsTask());
            }

            return null;
        }
        finally
        {
            await completed.CancelAsync();
            others.ForEach(signal => _arrived.Writer.TryWrite(signal));
        }
    }

    public void Dispose() => _registrations.ForEach(r => r.Dispose());

    private void Catch(PosixSignal number, Signal signal) =>
        _registrations.Add(PosixSignalRegistration.Create(number, context =>
        {
            context.Cancel = true;
            _arrived.Writer.TryWrite(signal);
        }));
}
