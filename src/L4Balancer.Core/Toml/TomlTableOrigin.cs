namespace L4Balancer.Core.Toml;

/// <summary>How a table came to be, which decides what may still be added to it.</summary>
internal enum TomlTableOrigin
{
    /// <summary>Only named on the way to another table, as <c>a</c> in <c>[a.b]</c>: it may still be defined, once.</summary>
    Implied,

    /// <summary>Defined by <c>[a]</c> or <c>[[a]]</c>: dotted keys from outside cannot add to it.</summary>
    Header,

    /// <summary>Defined by dotted keys: more of these may add to it, a header cannot define it again.</summary>
    DottedKey,
}
