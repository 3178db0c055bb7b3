using Microsoft.AspNetCore.Http;

namespace L4Balancer.Web;

/// <summary>Ends all connections of an address in good order, when its server pauses.</summary>
internal sealed partial class ConnectionPlaces
{
    /// <summary>How long a pause waits for the first request of a client that has just connected.</summary>
    public static readonly TimeSpan FirstRequestWithin = TimeSpan.FromMilliseconds(250);

    /// <summary>How long it waits for answers after that; and then for the end of what was cut off.</summary>
    public static readonly TimeSpan AnswersWithin = TimeSpan.FromMilliseconds(500);

    private TaskCompletionSource? _emptied;

    /// <summary>Accepted, and on its way to <see cref="ServeAsync"/>.</summary>
    private int _expected;

    private bool _isEmptying;

    /// <summary>The middleware around all others of a host whose connections have places.</summary>
    public static RequestDelegate Around(RequestDelegate next) => async http =>
    {
        ConnectionPlace? place = ConnectionPlace.Of(http);
        place?.BeginRequest();
        try
        {
            await next(http);
        }
        finally
        {
            place?.EndRequest();
        }
    };

    /// <summary>A connection has been accepted, and will be served in a moment.</summary>
    public void Expect()
    {
        lock (_gate)
        {
            _expected++;
        }
    }

    /// <summary>
    /// Ends idle connections at once, those that have just begun and those with a request behind their answer, and cuts off what takes longer.
    /// Those that stay are left. Nothing may be accepted meanwhile.
    /// </summary>
    public async Task EmptyAsync()
    {
        Task emptied;
        lock (_gate)
        {
            _isEmptying = true;
            _emptied = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            emptied = _emptied.Task;
            NoteEmpty();
        }

        Each(static p => p is { HasAsked: true, IsInRequest: false }, static p => p.Finish());
        if (await EndsAsync(emptied, FirstRequestWithin))
        {
            return;
        }

        Each(static p => !p.IsInRequest, static p => p.Finish());
        if (!await EndsAsync(emptied, AnswersWithin))
        {
            Each(static _ => true, static p => p.Close("the server pauses"));
            await EndsAsync(emptied, AnswersWithin);
        }
    }

    /// <summary>Connections may stay again.</summary>
    public void Fill()
    {
        lock (_gate)
        {
            _isEmptying = false;
            _emptied = null;
        }
    }

    internal void BeginRequest(ConnectionPlace place)
    {
        lock (_gate)
        {
            (place.HasAsked, place.IsInRequest) = (true, true);
        }
    }

    internal void EndRequest(ConnectionPlace place)
    {
        bool isLast;
        lock (_gate)
        {
            (place.IsInRequest, place.Stays) = (false, false);
            isLast = _isEmptying;
        }

        if (isLast)
        {
            place.Finish();
        }
    }

    internal void Stay(ConnectionPlace place)
    {
        lock (_gate)
        {
            place.Stays = true;
            NoteEmpty();
        }
    }

    private async Task<bool> EndsAsync(Task emptied, TimeSpan within)
    {
        await emptied.WaitAsync(within, clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return emptied.IsCompleted;
    }

    private void Each(Predicate<ConnectionPlace> chosen, Action<ConnectionPlace> act)
    {
        ConnectionPlace[] places;
        lock (_gate)
        {
            places = [.. _places.Where(p => !p.Stays && chosen(p))];
        }

        Array.ForEach(places, act);
    }

    private void NoteEmpty()
    {
        lock (_gate)
        {
            if (_expected == 0 && _places.TrueForAll(static p => p.Stays))
            {
                _emptied?.TrySetResult();
            }
        }
    }
}
