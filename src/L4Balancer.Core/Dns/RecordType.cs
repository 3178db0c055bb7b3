namespace L4Balancer.Core.Dns;

/// <summary>
/// Types of records, and of questions that ask for more than one (RFC 1035, 3.2.2 and 3.2.3; RFC 2782; RFC 3596; RFC 6891).
/// </summary>
internal enum RecordType : ushort
{
    A = 1,
    Ns = 2,
    Soa = 6,
    Hinfo = 13,
    Aaaa = 28,
    Srv = 33,
    Opt = 41,

    /// <summary>
    /// The first of the types that ask for something other than records (RFC 6895, 3.1): TKEY, TSIG, IXFR, AXFR, MAILB, MAILA.
    /// </summary>
    Tkey = 249,
    Ixfr = 251,

    /// <summary>The last of them, beside <see cref="Any"/>.</summary>
    MailA = 254,
    Any = 255,
}

/// <summary>
/// What a response says about the question (RFC 1035, 4.1.1; BADVERS: RFC 6891, 6.1.3). Values above 15 need an OPT record.
/// </summary>
internal enum ResponseCode : ushort
{
    NoError = 0,
    FormErr = 1,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    BadVers = 16,
}
