using L4Balancer.Core.Accounting;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Routing;

/// <summary>Half of a pool, the primaries or the backups, at one moment. Immutable; any thread may pick.</summary>
/// <param name="available">The available backends, the half-open ones included.</param>
/// <param name="halfOpen">How many of the available ones are half-open.</param>
/// <param name="isUnlimited">Whether no backend has a limit of connections, unless the pool is being rebalanced.</param>
/// <param name="serving">The same candidates without the half-open ones; null if none is half-open.</param>
internal sealed class Candidates(
    IPicker picker, AvailableSet available, PoolAdmission admission, BackendState[] states, int halfOpen, bool isUnlimited, Candidates? serving = null)
{
    // The second attempt of a pick, when the full rules admit no backend: bounded load, slow start and rebalancing are no reason to refuse.
    private readonly PoolAdmission _limits = admission.OnlyLimits();

    /// <summary>Whether a backend takes connections other than trials.</summary>
    public bool Serves => available.Count > halfOpen;

    /// <summary>The available backends without the half-open ones.</summary>
    public AvailableSet Serving => serving?.Serving ?? available;

    /// <summary>Whether a backend takes connections, if only a trial.</summary>
    public bool TakesAny => available.Count > 0;

    /// <summary>Whether a connection that picked this backend a moment ago may still go there.</summary>
    /// <param name="trial">The connection's trial of that backend; 0: none.</param>
    public bool StillTakes(int backend, int trial) => available.Contains(backend) && (trial != 0 || !admission.IsHalfOpen(backend));

    /// <summary>Whether one more connection may go to this backend, whatever the balance would pick.</summary>
    public bool TakesMore(int backend) => available.Contains(backend) && !admission.IsHalfOpen(backend)
        && (admission.IsRebalancing ? admission.Admits(backend, hash: 0) : admission.HasRoom(backend));

    public int Pick(RouteKey key, ReadOnlySpan<ushort> tried)
    {
        if (available.Count == 0)
        {
            return HashPicker.None;
        }

        if (isUnlimited && halfOpen == 0 && !admission.IsRebalancing)
        {
            return picker.Pick(key, available, tried, null);
        }

        int picked = picker.Pick(key, available, tried, admission);
        return picked == HashPicker.None ? picker.Pick(key, available, tried, _limits) : picked;
    }

    /// <summary>
    /// As <see cref="Pick"/>, for a connection that goes there: of the connections that would try a backend that is down, one gets the
    /// trial.
    /// </summary>
    /// <param name="mayTry">Whether this connection may take a trial.</param>
    /// <param name="trial">The id in <see cref="ConnectHealth"/>; 0 if the backend is not half-open.</param>
    public int Take(RouteKey key, ReadOnlySpan<ushort> tried, bool mayTry, out int trial)
    {
        trial = 0;
        if (!mayTry && serving is not null)
        {
            return serving.Pick(key, tried);
        }

        int picked = Pick(key, tried);
        while (halfOpen > 0 && picked != HashPicker.None && admission.IsHalfOpen(picked))
        {
            trial = states[picked].Connects.TryTakeTrial();
            if (trial != 0)
            {
                break;
            }

            picked = Pick(key, tried);
        }

        return picked;
    }

    /// <summary>The backend that the connection would go to if no backend were limited.</summary>
    public int Home(RouteKey key) => picker.Pick(key, available, [], null);
}
