namespace L4Balancer.Admin.Answers;

/// <summary>Which backend a connection goes to, and why.</summary>
/// <param name="Balance">How the pool balances. Only <c>ring</c> and <c>maglev</c> decide by the connection.</param>
/// <param name="Backend">Null where the pool has none that takes connections, or no hash decides.</param>
/// <param name="HashKey">Empty where no hash decides.</param>
/// <param name="Hash">Of the tuple by the key, as 16 hexadecimal digits; null where no hash decides.</param>
/// <param name="RingBackends">How many share the ring.</param>
/// <param name="LivingBackends">How many of them take connections now; null offline.</param>
/// <param name="Owner">To whom the hash falls while every backend lives; null where no hash decides.</param>
/// <param name="Health"><c>unknown</c> offline; else the state of the owner.</param>
internal sealed record LocateAnswer(
    string Listener, string Pool, string Balance, string? Backend, string? Address, string Source, string Destination, IReadOnlyList<string> HashKey,
    string? Hash, int RingBackends, int? LivingBackends, string? Owner, string Health);
