namespace L4Balancer.Core.Inspection;

/// <summary>What a client sent first, as far as <c>inspect</c> reads it: a ClientHello, the head of a request, or nothing.</summary>
public readonly ref struct Inspected
{
    private readonly bool _hasRequest;

    public Inspected(ClientHello hello) => Hello = hello;

    public Inspected(RequestHead request)
    {
        Request = request;
        _hasRequest = true;
    }

    /// <summary>Without a name and protocols if the client sent none.</summary>
    public ClientHello Hello { get; }

    /// <summary>Only meaningful if <see cref="HasRequest"/>.</summary>
    public RequestHead Request { get; }

    public bool HasRequest => _hasRequest;

    /// <summary>No value that a key takes from it is longer than this, in bytes.</summary>
    public int LongestValue => _hasRequest ? Request.Length : Hello.ServerName.Length;
}
