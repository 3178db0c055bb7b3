/*
 * The keeper: a process that shares the daemon's table of descriptors, so that the sockets of the daemon outlive it
 * (docs/decisions/0017-keeper.md). Freestanding: no C library, no memory but the stack, position independent. It is made by clone(2) without
 * execve(2), so it begins on a copy of the memory that the daemon had at that moment, of which it may call nothing and keeps little.
 *
 * Protocol, over a listening SOCK_SEQPACKET socket, once the daemon has ended: a request is 1 to 252 descriptor numbers (32 bits each, host order).
 * The answer is struct answer; with status 0 the descriptors come with it (SCM_RIGHTS, unix(7)), in the order asked. The number -1 alone
 * asks for nothing but an answer, -2 alone ends the keeper after its answer. A status other than 0 is an errno, and nothing is sent.
 *
 * On arm64 everything but the flags of clone(2) has been run, under qemu-user, which refuses them; those were read in the disassembly.
 */
#if defined(__x86_64__)
enum {
    SYS_close = 3, SYS_fstat = 5, SYS_munmap = 11, SYS_rt_sigprocmask = 14, SYS_getpid = 39, SYS_sendmsg = 46, SYS_recvmsg = 47, SYS_getsockopt = 55, SYS_clone = 56,
    SYS_setsid = 112, SYS_prctl = 157, SYS_clock_gettime = 228, SYS_exit_group = 231, SYS_ppoll = 271, SYS_accept4 = 288
};

static long call(long number, long a, long b, long c, long d, long e)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
    return result;
}

/* The thread control block begins with its own address (System V ABI, thread-local storage, variant II). */
static unsigned long thread_pointer(void)
{
    unsigned long pointer;
    __asm__ volatile("mov %%fs:0, %0" : "=r"(pointer));
    return pointer;
}
#elif defined(__aarch64__)
enum {
    SYS_close = 57, SYS_ppoll = 73, SYS_fstat = 80, SYS_exit_group = 94, SYS_clock_gettime = 113, SYS_rt_sigprocmask = 135, SYS_setsid = 157, SYS_prctl = 167,
    SYS_getpid = 172, SYS_getsockopt = 209, SYS_sendmsg = 211, SYS_recvmsg = 212, SYS_munmap = 215, SYS_clone = 220, SYS_accept4 = 242
};

static long call(long number, long a, long b, long c, long d, long e)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
}

static unsigned long thread_pointer(void)
{
    unsigned long pointer;
    __asm__ volatile("mrs %0, tpidr_el0" : "=r"(pointer));
    return pointer;
}
#else
#error "the keeper is written for x86-64 and arm64"
#endif

enum {
    CLONE_FILES = 0x400, SIG_SETMASK = 2, PR_SET_NAME = 15, CLOCK_MONOTONIC = 1,
    SOL_SOCKET = 1, SO_PEERCRED = 17, SCM_RIGHTS = 1, SOCK_NONBLOCK = 0x800, SOCK_CLOEXEC = 0x80000,
    MSG_TRUNC = 0x20, MSG_DONTWAIT = 0x40, MSG_NOSIGNAL = 0x4000,
    POLLIN = 1, EINTR = 4, EAGAIN = 11, EINVAL = 22,
    MOST = 252, VERSION = 1,
    STANDARD = 3, EARLY = 1024
};

struct range {
    unsigned long start;
    unsigned long end;
};

struct settings {
    int listener;
    int daemon;
    int timeout_ms;
    unsigned uid;
    /* Memory of the daemon that the keeper has no use for; the array itself is on the caller's stack. */
    const struct range *ranges;
    unsigned long count_of_ranges;
};

struct answer {
    unsigned char version;
    unsigned char status;
    unsigned short count;
    int keeper;
};

struct pollfd {
    int fd;
    short events;
    short revents;
};

struct timespec {
    long seconds;
    long nanoseconds;
};

struct iovec {
    void *base;
    unsigned long length;
};

struct msghdr {
    void *name;
    unsigned length_of_name;
    struct iovec *parts;
    unsigned long count_of_parts;
    void *control;
    unsigned long length_of_control;
    int flags;
};

/* The beginning of struct stat, which is the same on both, and room for the rest. */
struct file {
    unsigned long device;
    unsigned long inode;
    unsigned long rest[16];
};

struct rights {
    unsigned long length;
    int level;
    int type;
    int descriptors[MOST];
};

static long milliseconds(void)
{
    struct timespec now;
    call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0, 0);
    return now.seconds * 1000 + now.nanoseconds / 1000000;
}

/* Waits until something happens or the time is over; a negative time has no end. */
static long wait_for(struct pollfd *polled, int count, long time)
{
    for (;;) {
        /* The kernel writes what is left of it. */
        struct timespec limit = { time / 1000, time % 1000 * 1000000 };
        long ready = call(SYS_ppoll, (long)polled, count, time < 0 ? 0 : (long)&limit, 0, 8);
        if (ready != -EINTR)
            return ready;
    }
}

static int is_of(int connection, unsigned uid)
{
    struct { int pid; unsigned uid; unsigned gid; } peer;
    unsigned length = sizeof peer;
    return call(SYS_getsockopt, connection, SOL_SOCKET, SO_PEERCRED, (long)&peer, (long)&length) == 0 && peer.uid == uid;
}

static long send_answer(int connection, int status, struct rights *rights, int count, int keeper)
{
    struct answer answer = { VERSION, (unsigned char)status, (unsigned short)count, keeper };
    struct iovec part = { &answer, sizeof answer };
    struct msghdr message = { 0, 0, &part, 1, 0, 0, 0 };
    if (count > 0) {
        rights->length = 16 + 4 * (unsigned long)count;
        rights->level = SOL_SOCKET;
        rights->type = SCM_RIGHTS;
        message.control = rights;
        message.length_of_control = rights->length;
    }
    return call(SYS_sendmsg, connection, (long)&message, MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0);
}

/* One request and its answer. 0: go on; 1: the heir is gone or takes no answer; 2: end. */
static int serve(int connection, int keeper)
{
    struct rights rights;
    struct iovec part = { rights.descriptors, sizeof rights.descriptors };
    struct msghdr message = { 0, 0, &part, 1, 0, 0, 0 };
    long received = call(SYS_recvmsg, connection, (long)&message, MSG_DONTWAIT, 0, 0);
    if (received == -EAGAIN || received == -EINTR)
        return 0;
    if (received <= 0)
        return 1;

    int count = (int)(received / 4);
    int only = count == 1 ? rights.descriptors[0] : 0;
    long sent;
    if (received % 4 != 0 || (message.flags & MSG_TRUNC) != 0)
        sent = send_answer(connection, EINVAL, 0, 0, keeper);
    else if (only == -1 || only == -2)
        sent = send_answer(connection, 0, 0, 0, keeper);
    else {
        sent = send_answer(connection, 0, &rights, count, keeper);

        /* EBADF: one of the numbers is no descriptor. ETOOMANYREFS: too many are under way. */
        if (sent < 0 && sent != -EAGAIN)
            sent = send_answer(connection, (int)-sent, 0, 0, keeper);
    }

    return only == -2 ? 2 : sent < 0 ? 1 : 0;
}

/*
 * Whoever reads the output of the daemon is not to wait for the keeper, and accept4 needs a free number. The daemon has duplicates of its output,
 * opened early, so that they have low numbers.
 */
static void close_standard(const struct settings *settings)
{
    struct file standard[STANDARD];
    for (int i = 0; i < STANDARD; i++)
        if (call(SYS_fstat, i, (long)&standard[i], 0, 0, 0) != 0)
            standard[i].inode = 0;
    for (int fd = STANDARD; fd < EARLY; fd++) {
        struct file other;
        if (fd == settings->listener || fd == settings->daemon || call(SYS_fstat, fd, (long)&other, 0, 0, 0) != 0 || other.inode == 0)
            continue;
        for (int i = 0; i < STANDARD; i++)
            if (standard[i].inode == other.inode && standard[i].device == other.device) {
                call(SYS_close, fd, 0, 0, 0, 0);
                break;
            }
    }
    for (int i = 0; i < STANDARD; i++)
        call(SYS_close, i, 0, 0, 0, 0);
}

static int is_in(const struct range *range, unsigned long address)
{
    return address >= range->start && address < range->end;
}

/*
 * Gives back the copy of the daemon's memory, which would stay for as long as the keeper runs, page for page, while the daemon changes its own. Two
 * ranges are kept: that of the stack, and that of the thread control block, because the kernel writes to the area of rseq(2), which the C library
 * has registered there, and which clone(2) without CLONE_VM inherits.
 */
static void drop_memory(const struct settings *settings)
{
    for (unsigned long i = 0; i < settings->count_of_ranges; i++) {
        const struct range *range = &settings->ranges[i];
        if (!is_in(range, (unsigned long)__builtin_frame_address(0)) && !is_in(range, thread_pointer()))
            call(SYS_munmap, (long)range->start, (long)(range->end - range->start), 0, 0, 0);
    }
}

static void keep(const struct settings *settings)
{
    int keeper = (int)call(SYS_getpid, 0, 0, 0, 0, 0);
    struct pollfd ended = { settings->daemon, POLLIN, 0 };

    /* Linux 6.9 adds POLLHUP once the parent of the daemon has waited for it. Without POLLIN it is POLLNVAL. */
    if (wait_for(&ended, 1, -1) != 1 || (ended.revents & POLLIN) == 0)
        return;

    close_standard(settings);

    struct pollfd polled[2] = { { settings->listener, POLLIN, 0 }, { -1, POLLIN, 0 } };
    long until = milliseconds() + settings->timeout_ms;
    for (;;) {
        long left = until - milliseconds();
        long ready = left <= 0 ? 0 : wait_for(polled, 2, left);
        if (ready <= 0 || (polled[0].revents & ~POLLIN) != 0)
            return;

        if (polled[1].fd >= 0 && polled[1].revents != 0) {
            int next = (polled[1].revents & POLLIN) != 0 ? serve(polled[1].fd, keeper) : 1;
            if (next == 2)
                return;
            if (next == 1) {
                call(SYS_close, polled[1].fd, 0, 0, 0, 0);
                polled[1].fd = -1;
            } else {
                until = milliseconds() + settings->timeout_ms;
            }
        }

        if ((polled[0].revents & POLLIN) != 0) {
            long connection = call(SYS_accept4, settings->listener, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
            if (connection == -EINTR || connection == -EAGAIN)
                continue;

            /* Errors of one connection aside, none can be cured: ENFILE lasts, and a failing accept would spin. */
            if (connection < 0)
                return;
            if (!is_of((int)connection, settings->uid)) {
                call(SYS_close, connection, 0, 0, 0, 0);
                continue;
            }

            /* The heir before hangs, or has failed: the newest is served. */
            if (polled[1].fd >= 0)
                call(SYS_close, polled[1].fd, 0, 0, 0, 0);
            polled[1].fd = (int)connection;
        }
    }
}

/*
 * Starts the keeper of the calling process. Given are descriptors of a listening socket and of the caller itself (pidfd_open(2)), which must stay
 * open. Returns its process id, or a negative errno. It is a child without an exit signal: waitpid(2) sees it only with __WALL.
 */
__attribute__((visibility("default"))) int l4b_keeper_start(const struct settings *given)
{
    struct settings settings = { given->listener, given->daemon, given->timeout_ms, given->uid, 0, 0 };
    unsigned long all = ~0UL;
    unsigned long before = 0;
    call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&before, sizeof all, 0);
    long keeper = call(SYS_clone, CLONE_FILES, 0, 0, 0, 0);
    if (keeper == 0) {
        static const char name[] = "l4b-keeper";
        call(SYS_setsid, 0, 0, 0, 0, 0);
        call(SYS_prctl, PR_SET_NAME, (long)name, 0, 0, 0);
        drop_memory(given);
        keep(&settings);
        for (;;)
            call(SYS_exit_group, 0, 0, 0, 0, 0);
    }

    call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, sizeof before, 0);
    return (int)keeper;
}
