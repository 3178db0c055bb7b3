using System.Diagnostics.CodeAnalysis;

namespace L4Balancer.Stores;

/// <summary>What a store has answered, or why there is no answer that can be used: networks fail every day, so that is a value.</summary>
/// <typeparam name="T">Of the answer.</typeparam>
internal readonly record struct StoreResult<T>
    where T : class
{
    public StoreResult(T value) => Value = value;

    private StoreResult(string fault, bool isRefusal)
    {
        Fault = fault;
        IsRefusal = isRefusal;
    }

    public T? Value { get; }

    /// <summary>In a few words, for operators; null for an answer.</summary>
    public string? Fault { get; }

    /// <summary>The store has answered, and has refused: another endpoint of it would do the same.</summary>
    public bool IsRefusal { get; }

    /// <summary>Whether there is an answer.</summary>
    [MemberNotNullWhen(true, nameof(Value))]
    [MemberNotNullWhen(false, nameof(Fault))]
    public bool IsOk => Fault is null;

    public static StoreResult<T> Failed(string fault) => new(fault, isRefusal: false);

    public static StoreResult<T> Refused(string fault) => new(fault, isRefusal: true);

    /// <summary>The same failure of another type.</summary>
    public StoreResult<TOther> Failure<TOther>()
        where TOther : class => IsRefusal ? StoreResult<TOther>.Refused(Fault!) : StoreResult<TOther>.Failed(Fault!);
}
