using L4Balancer.Admin.Answers;

namespace L4Balancer.CommandLine;

/// <summary>A backend and its rates per second; null where there is no earlier answer.</summary>
internal sealed record TopRow(BackendAnswer Backend, double? New, double? Closed, double? In, double? Out, double? Packets)
{
    /// <summary>"POOL/NAME", as the commands take it.</summary>
    public string Name { get; } = $"{Backend.Pool}/{Backend.Name}";

    /// <summary>The text is part of the name, address or state; case does not count.</summary>
    public bool Has(string text) =>
        new[] { Name, Backend.Address, Backend.State }.Any(s => s.Contains(text, StringComparison.OrdinalIgnoreCase));
}
