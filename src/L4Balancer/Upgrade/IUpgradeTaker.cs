using L4Balancer.Engine;

namespace L4Balancer.Upgrade;

/// <summary>What <see cref="NewSide"/> asks of the daemon that takes over, once it serves. Called by one thread.</summary>
internal interface IUpgradeTaker
{
    /// <summary>
    /// Why this process gives up although it could go on (it is stopping); null: it does not. Asked until it is the main one.
    /// </summary>
    string? WhyNot { get; }

    /// <summary>Whether this process can serve the connection.</summary>
    /// <param name="why">Why not.</param>
    /// <returns>False if it stays with the old process; its descriptors are still the caller's then, as after true.</returns>
    bool Accepts(UpgradeConnection connection, out string why);

    /// <summary>
    /// Puts connections that were accepted in place, where they stand still until <see cref="ServeAsync"/> or <see cref="LetGoAsync"/>.
    /// Their descriptors belong to this process's engine from then on, and its ledger has them, so that they do not end with this process.
    /// </summary>
    /// <returns>Those for which there is no place: they stay with the old process.</returns>
    Task<IReadOnlyList<AdoptFailure>> PlaceAsync(IReadOnlyList<UpgradeConnection> connections);

    /// <summary>The old process has given up what was put in place: it is served from now on.</summary>
    /// <returns>How many could not be served and were reset.</returns>
    Task<int> ServeAsync(IReadOnlyList<RequestedClose> closes);

    /// <summary>The old process goes on with what was put in place: nothing but the descriptors here is closed.</summary>
    Task LetGoAsync();

    /// <summary>Somebody asked the old process to reload, which is done here once this is the process that serves.</summary>
    void Reload(string who);

    /// <summary>Adds what has changed in the old process since the state was taken (<see cref="UpgradeRest.Image"/>).</summary>
    void Add(ReadOnlyMemory<byte> differences);

    /// <summary>
    /// This is the main process for the service manager from now on: it reports that it is ready, and answers the watchdog.
    /// </summary>
    void BecomeMain();

    /// <summary>
    /// The old process has ended in the middle of it. Takes from its keeper what did not come over, and is the main process as far as that
    /// can be.
    /// </summary>
    /// <param name="why">For the log.</param>
    Task GoOnAloneAsync(string why);

    /// <summary>
    /// The old process has ended after this one became the main one: takes the connections that had stayed there from its keeper.
    /// </summary>
    Task RecoverAsync();
}
