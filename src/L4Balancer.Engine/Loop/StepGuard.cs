using L4Balancer.Core.Accounting;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// Runs the steps of a loop iteration. An exception in a step is logged and ends the connection that the step concerns, with the reason
/// <see cref="CloseReason.Internal"/>. An exception that escaped the loop would end the process. For the worker's thread.
/// </summary>
internal sealed class StepGuard(Worker worker)
{
    /// <summary>Used in place of a slot index for a step that does not concern one connection.</summary>
    public const int NoSlot = -1;

    /// <summary>Minimum time between two logged exceptions, so that a fault that affects every connection does not fill the log.</summary>
    private static readonly TimeSpan BetweenFaultLines = TimeSpan.FromSeconds(1);

    private Instant _nextFaultLine;
    private int _faultsNotLogged;

    /// <param name="index">The slot of the connection that the step concerns, or <see cref="NoSlot"/>.</param>
    public void Run<T>(Action<Worker, T> step, T argument, int index = NoSlot)
    {
        try
        {
            step(worker, argument);
        }
        catch (Exception e)
        {
            Fail(index, e);
        }
    }

    /// <summary>Handles an exception thrown by a step: logs it and ends the connection that the step concerns.</summary>
    public void Fail(int index, Exception exception)
    {
        LogFault(index, exception);
        if (index == NoSlot || worker.Slots[index].State is SlotState.Free or SlotState.Frozen)
        {
            return;
        }

        ref Slot slot = ref worker.Slots[index];
        uint generation = slot.Generation;
        try
        {
            // Id 0: the exception came before the connection was counted.
            if (slot.Record.Id != 0)
            {
                worker.Closer.Abort(ref slot, CloseReason.Internal);
            }
        }
        catch (Exception e)
        {
            LogFault(index, e);
        }

        if (slot.State != SlotState.Free && slot.Generation == generation)
        {
            try
            {
                worker.Closer.Drop(ref slot);
            }
            catch (Exception e)
            {
                LogFault(index, e);
            }
        }
    }

    private void LogFault(int index, Exception exception)
    {
        if (worker.Now < _nextFaultLine)
        {
            _faultsNotLogged++;
            return;
        }

        _nextFaultLine = worker.Now + BetweenFaultLines;
        if (_faultsNotLogged > 0)
        {
            worker.Engine.Log.ExceptionsNotLogged(_faultsNotLogged, worker.Number);
            _faultsNotLogged = 0;
        }

        if (index == NoSlot)
        {
            worker.Engine.Log.LoopStepFailed(worker.Number, exception);
        }
        else
        {
            worker.Engine.Log.ServingFailed(worker.Slots[index].Record.Id, exception);
        }
    }
}
