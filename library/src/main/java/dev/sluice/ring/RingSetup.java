package dev.sluice.ring;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Native;
import dev.sluice.internal.linux.Rings;
import dev.sluice.io.SluiceException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * How a ring is to be, for {@link #open}. Of the flags that are not asked for, those which suit a ring with a thread of its
 * own are tried, and left out if the kernel does not know them.
 */
public final class RingSetup {
    private static final int MAX_ENTRIES = 32768;

    /** Newest first, as that is the order in which kernels come not to know them. */
    private static final SetupFlag[] USUAL = {
        SetupFlag.NO_SQARRAY,
        SetupFlag.DEFER_TASKRUN,
        SetupFlag.TASKRUN_FLAG,
        SetupFlag.SINGLE_ISSUER,
        SetupFlag.SUBMIT_ALL
    };

    private final EnumSet<SetupFlag> wanted = EnumSet.noneOf(SetupFlag.class);
    private final EnumSet<SetupFlag> unwanted = EnumSet.noneOf(SetupFlag.class);
    private EnumSet<SetupFlag> effective = EnumSet.noneOf(SetupFlag.class);
    private int entries = 256;
    private int completions;
    private int idleMillis;
    private int cpu;
    private int workersOf = -1;
    private boolean registeredWaits;
    private Restrictions restrictions;
    private boolean locked;

    /** 256 submissions, 1024 completions. */
    public RingSetup() {}

    /** How many submissions can be queued, from 1 to 32768; the kernel rounds up to a power of two. */
    public RingSetup entries(int count) {
        require(count, count);
        entries = count;
        return this;
    }

    /** How many completions can be queued; without it four times the entries. A zero-copy send makes two. */
    public RingSetup completions(int count) {
        require(1, count);
        completions = count;
        return this;
    }

    static void require(int entries, int completions) {
        if (entries < 1 || entries > MAX_ENTRIES || completions < 1 || completions > 2 * MAX_ENTRIES) {
            throw new IllegalArgumentException("a ring of " + entries + " submissions and " + completions
                    + " completions: at most " + MAX_ENTRIES + " and " + 2 * MAX_ENTRIES);
        }
    }

    /** Flags that the ring must have. */
    public RingSetup with(SetupFlag... flags) {
        wanted.addAll(Set.of(flags));
        return this;
    }

    /** Flags that are not to be tried. */
    public RingSetup without(SetupFlag... flags) {
        unwanted.addAll(Set.of(flags));
        return this;
    }

    /** Has a thread of the kernel take submissions, which sleeps after so long without any. Needs a core to spare. */
    public RingSetup poller(Duration idle) {
        idleMillis = Math.toIntExact(Math.max(1, idle.toMillis()));
        return with(SetupFlag.SQPOLL);
    }

    /** The processor that the kernel's thread stays on. */
    public RingSetup pollerOn(int processor) {
        cpu = processor;
        return with(SetupFlag.SQPOLL, SetupFlag.SQ_AFF);
    }

    /** Shares worker threads, and the polling thread, with another ring. */
    public RingSetup workersOf(Ring other) {
        workersOf = other.fd();
        return with(SetupFlag.ATTACH_WQ);
    }

    /**
     * Has the kernel read the time-outs of {@link Ring#submitAndWait} from memory that it maps once, instead of copying them
     * at every call; since 6.13.
     */
    public RingSetup registeredWaits() {
        registeredWaits = true;
        return this;
    }

    /**
     * Allows these operations, and nothing else that no {@code allow} or {@code demand} names: neither entry flags nor
     * registrations, except for those which {@link Ring#close} makes. Other entries complete with −EACCES. That holds from
     * {@link Ring#enable} on, for good: a ring {@link #with} {@link SetupFlag#R_DISABLED} can have files and buffers
     * registered before, any other is enabled when it is opened. Since 5.10.
     */
    public RingSetup allow(Operation... operations) {
        restrictions().operations.addAll(List.of(operations));
        return this;
    }

    /** Allows these flags of entries. */
    public RingSetup allow(EntryFlag... flags) {
        restrictions().allowed.addAll(List.of(flags));
        return this;
    }

    /** Allows only entries that have all of these flags: {@link EntryFlag#FIXED_FILE}, say, for registered files alone. */
    public RingSetup demand(EntryFlag... flags) {
        restrictions().demanded.addAll(List.of(flags));
        return this;
    }

    /** Allows these registrations, by the numbers that {@link RingRegistry#raw} takes. */
    public RingSetup allowRegistrations(int... numbers) {
        for (int number : numbers) {
            restrictions().registrations.add(number);
        }
        return this;
    }

    private Restrictions restrictions() {
        if (restrictions == null) {
            restrictions = new Restrictions();
        }
        return restrictions;
    }

    /** For any thread, but one at a time, which a lock of the caller's sees to. */
    RingSetup locked() {
        locked = true;
        return without(SetupFlag.SINGLE_ISSUER);
    }

    boolean isLocked() {
        return locked;
    }

    /** For what belongs to the ring alone. */
    Arena arena() {
        return locked ? Arena.ofShared() : Arena.ofConfined();
    }

    boolean has(SetupFlag flag) {
        return effective.contains(flag);
    }

    Set<SetupFlag> effective() {
        return EnumSet.copyOf(effective);
    }

    /**
     * Opens the ring, which belongs to the calling thread from now on.
     *
     * @throws SluiceException with the errno of io_uring_setup(2) and what to do about it; EINVAL for an unknown flag
     * @throws UnsupportedOperationException if this is not Linux, or native access is denied
     * @throws IllegalStateException on a virtual thread
     */
    public Ring open() throws IOException {
        if (!Native.available()) {
            throw new UnsupportedOperationException("the ring " + Native.unavailable());
        }
        if (!locked && Thread.currentThread().isVirtual()) {
            throw new IllegalStateException("a virtual thread changes threads, and the kernel binds a ring to one");
        }
        RingSetup own = copy();
        EnumSet<SetupFlag> flags = own.flags();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment params = arena.allocate(Rings.PARAMS_SIZE, 8);
            int fd = own.setup(params, flags);
            for (int i = 0; fd == -Errno.EINVAL && i < USUAL.length; i++) {
                if (flags.contains(USUAL[i]) && !wanted.contains(USUAL[i])) {
                    flags.remove(USUAL[i]);
                    fd = own.setup(params, flags);
                }
            }
            if (fd < 0) {
                throw refusal(fd);
            }
            own.effective = flags;
            return prepared(new Ring(fd, own, params));
        }
    }

    /** What has to be told to a ring before it is enabled. */
    private Ring prepared(Ring ring) throws IOException {
        try {
            if (registeredWaits) {
                ring.registerWaits();
            }
            if (restrictions != null) {
                ring.registry().restrict(restrictions);
            }
            if (disabledAtFirst() && !wanted.contains(SetupFlag.R_DISABLED)) {
                ring.enable();
            }
            return ring;
        } catch (IOException e) {
            ring.close();
            throw e;
        }
    }

    private boolean disabledAtFirst() {
        return registeredWaits || restrictions != null;
    }

    void enabled() {
        effective.remove(SetupFlag.R_DISABLED);
    }

    private RingSetup copy() {
        RingSetup copy = new RingSetup();
        copy.wanted.addAll(wanted);
        copy.unwanted.addAll(unwanted);
        copy.entries = entries;
        copy.completions = completions > 0 ? completions : Math.min(2 * MAX_ENTRIES, 4 * entries);
        copy.idleMillis = idleMillis;
        copy.cpu = cpu;
        copy.workersOf = workersOf;
        copy.registeredWaits = registeredWaits;
        copy.restrictions = restrictions;
        copy.locked = locked;
        return copy;
    }

    private EnumSet<SetupFlag> flags() {
        EnumSet<SetupFlag> flags = EnumSet.copyOf(wanted);
        flags.add(SetupFlag.CQSIZE);
        if (disabledAtFirst()) {
            flags.add(SetupFlag.R_DISABLED);
        }
        for (SetupFlag usual : USUAL) {
            boolean deferred = usual == SetupFlag.DEFER_TASKRUN || usual == SetupFlag.TASKRUN_FLAG;
            boolean single = usual == SetupFlag.SINGLE_ISSUER;
            // A polling thread runs what would be deferred; to share it is to have more than one issuer.
            if (!(deferred && wanted.contains(SetupFlag.SQPOLL)) && !(single && unwanted.contains(usual))) {
                flags.add(usual);
            }
        }
        if (unwanted.contains(SetupFlag.SINGLE_ISSUER) || unwanted.contains(SetupFlag.DEFER_TASKRUN)) {
            flags.remove(SetupFlag.DEFER_TASKRUN);
            flags.remove(SetupFlag.TASKRUN_FLAG);
        }
        flags.removeAll(unwanted);
        return flags;
    }

    private int setup(MemorySegment params, Set<SetupFlag> flags) {
        params.fill((byte) 0);
        int bits = 0;
        for (SetupFlag flag : flags) {
            bits |= flag.bit();
        }
        params.set(JAVA_INT, Rings.PARAMS_FLAGS, bits);
        params.set(JAVA_INT, Rings.PARAMS_CQ_ENTRIES, Math.max(entries, completions));
        params.set(JAVA_INT, Rings.PARAMS_SQ_THREAD_IDLE, idleMillis);
        params.set(JAVA_INT, Rings.PARAMS_SQ_THREAD_CPU, cpu);
        params.set(JAVA_INT, Rings.PARAMS_WQ_FD, Math.max(0, workersOf));
        return Rings.setup(entries, params);
    }

    static SluiceException refusal(int result) {
        int errno = -result;
        String remedy = switch (errno) {
            case Errno.EPERM ->
                "a sandbox forbids it, or kernel.io_uring_disabled is not 0;"
                        + " allow it in the seccomp profile, or sysctl -w kernel.io_uring_disabled=0";
            case Errno.ENOSYS ->
                "a sandbox forbids it, or the kernel is older than 5.1; allow it in the seccomp profile";
            case Errno.ENOMEM -> "locked memory may be at its limit; raise it (ulimit -l), or ask for fewer entries";
            case Errno.EINVAL -> "this kernel does not know a flag that was asked for";
            default -> Errno.remedy(errno);
        };
        String message = "ring: io_uring_setup: " + Errno.name(errno) + (remedy.isEmpty() ? "" : "; " + remedy);
        return new SluiceException(message, "io_uring_setup", errno);
    }
}
