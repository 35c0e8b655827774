package dev.sluice.internal.linux;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.ring.EntryFlag;
import dev.sluice.ring.Feature;
import dev.sluice.ring.Operation;
import dev.sluice.ring.SetupFlag;
import dev.sluice.testkit.Child;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every number that was copied from a header is compared with the header, by the C compiler of each target. */
@Timeout(60)
class LayoutTest {
    private static final List<Class<?>> ROOMS = List.of(
            Errno.class,
            ErrorQueue.class,
            Files.class,
            Memory.class,
            Message.class,
            Pipes.class,
            Polling.class,
            Rings.class,
            Sockets.class);

    /** Constants whose names are not those of the headers, and what they are there. */
    private static final Map<String, String> IN_C = Map.ofEntries(
            Map.entry("ADD", "EPOLL_CTL_ADD"),
            Map.entry("PARAMS_SIZE", "sizeof(struct io_uring_params)"),
            Map.entry("SQE_SIZE", "sizeof(struct io_uring_sqe)"),
            Map.entry("CQE_SIZE", "sizeof(struct io_uring_cqe)"),
            Map.entry("BUF_SIZE", "sizeof(struct io_uring_buf)"),
            Map.entry("BUF_REG_SIZE", "sizeof(struct io_uring_buf_reg)"),
            Map.entry("GETEVENTS_SIZE", "sizeof(struct io_uring_getevents_arg)"),
            Map.entry("REG_WAIT_SIZE", "sizeof(struct io_uring_reg_wait)"),
            Map.entry("REG_WAIT_MIN_WAIT_USEC", "offsetof(struct io_uring_reg_wait, min_wait_usec)"),
            Map.entry("REG_WAIT_FLAGS", "offsetof(struct io_uring_reg_wait, flags)"),
            Map.entry("REGION_DESC_SIZE", "sizeof(struct io_uring_region_desc)"),
            Map.entry("REGION_DESC_USER_ADDR", "offsetof(struct io_uring_region_desc, user_addr)"),
            Map.entry("REGION_DESC_BYTES", "offsetof(struct io_uring_region_desc, size)"),
            Map.entry("REGION_DESC_FLAGS", "offsetof(struct io_uring_region_desc, flags)"),
            Map.entry("MEM_REGION_REG_SIZE", "sizeof(struct io_uring_mem_region_reg)"),
            Map.entry("MEM_REGION_REG_UPTR", "offsetof(struct io_uring_mem_region_reg, region_uptr)"),
            Map.entry("MEM_REGION_REG_FLAGS", "offsetof(struct io_uring_mem_region_reg, flags)"),
            Map.entry("RESTRICTION_SIZE", "sizeof(struct io_uring_restriction)"),
            Map.entry("RESTRICTION_OPCODE", "offsetof(struct io_uring_restriction, opcode)"),
            Map.entry("RESTRICTION_VALUE", "offsetof(struct io_uring_restriction, sqe_flags)"),
            Map.entry("NAPI_SIZE", "sizeof(struct io_uring_napi)"),
            Map.entry("NAPI_BUSY_POLL_TO", "offsetof(struct io_uring_napi, busy_poll_to)"),
            Map.entry("NAPI_PREFER_BUSY_POLL", "offsetof(struct io_uring_napi, prefer_busy_poll)"),
            Map.entry("RSRC_REGISTER_SIZE", "sizeof(struct io_uring_rsrc_register)"),
            Map.entry("RSRC_REGISTER_FLAGS", "offsetof(struct io_uring_rsrc_register, flags)"),
            Map.entry("RSRC_UPDATE2_SIZE", "sizeof(struct io_uring_rsrc_update2)"),
            Map.entry("RSRC_UPDATE2_NR", "offsetof(struct io_uring_rsrc_update2, nr)"),
            Map.entry("RSRC_UPDATE_SIZE", "sizeof(struct io_uring_rsrc_update)"),
            Map.entry("SYNC_CANCEL_SIZE", "sizeof(struct io_uring_sync_cancel_reg)"),
            Map.entry("PROBE_SIZE", "sizeof(struct io_uring_probe)"),
            Map.entry("PROBE_OP_SIZE", "sizeof(struct io_uring_probe_op)"),
            Map.entry("IOVEC_LEN", "offsetof(struct iovec, iov_len)"),
            Map.entry("BUF_RING_TAIL", "offsetof(struct io_uring_buf_ring, tail)"),
            Map.entry("IO_URING_SETUP", "__NR_io_uring_setup"),
            Map.entry("IO_URING_ENTER", "__NR_io_uring_enter"),
            Map.entry("IO_URING_REGISTER", "__NR_io_uring_register"),
            Map.entry("PROT_READ_WRITE", "(PROT_READ | PROT_WRITE)"),
            Map.entry("PARAMS_SQ_ENTRIES", "offsetof(struct io_uring_params, sq_entries)"),
            Map.entry("PARAMS_CQ_ENTRIES", "offsetof(struct io_uring_params, cq_entries)"),
            Map.entry("PARAMS_FLAGS", "offsetof(struct io_uring_params, flags)"),
            Map.entry("PARAMS_SQ_THREAD_CPU", "offsetof(struct io_uring_params, sq_thread_cpu)"),
            Map.entry("PARAMS_SQ_THREAD_IDLE", "offsetof(struct io_uring_params, sq_thread_idle)"),
            Map.entry("PARAMS_FEATURES", "offsetof(struct io_uring_params, features)"),
            Map.entry("PARAMS_WQ_FD", "offsetof(struct io_uring_params, wq_fd)"),
            Map.entry("PARAMS_SQ_OFF", "offsetof(struct io_uring_params, sq_off)"),
            Map.entry("PARAMS_CQ_OFF", "offsetof(struct io_uring_params, cq_off)"),
            Map.entry("SQ_OFF_HEAD", "offsetof(struct io_sqring_offsets, head)"),
            Map.entry("SQ_OFF_TAIL", "offsetof(struct io_sqring_offsets, tail)"),
            Map.entry("SQ_OFF_RING_MASK", "offsetof(struct io_sqring_offsets, ring_mask)"),
            Map.entry("SQ_OFF_FLAGS", "offsetof(struct io_sqring_offsets, flags)"),
            Map.entry("SQ_OFF_DROPPED", "offsetof(struct io_sqring_offsets, dropped)"),
            Map.entry("SQ_OFF_ARRAY", "offsetof(struct io_sqring_offsets, array)"),
            Map.entry("CQ_OFF_HEAD", "offsetof(struct io_cqring_offsets, head)"),
            Map.entry("CQ_OFF_TAIL", "offsetof(struct io_cqring_offsets, tail)"),
            Map.entry("CQ_OFF_RING_MASK", "offsetof(struct io_cqring_offsets, ring_mask)"),
            Map.entry("CQ_OFF_OVERFLOW", "offsetof(struct io_cqring_offsets, overflow)"),
            Map.entry("CQ_OFF_CQES", "offsetof(struct io_cqring_offsets, cqes)"),
            Map.entry("CQ_OFF_FLAGS", "offsetof(struct io_cqring_offsets, flags)"),
            Map.entry("SQE_OPCODE", "offsetof(struct io_uring_sqe, opcode)"),
            Map.entry("SQE_FLAGS", "offsetof(struct io_uring_sqe, flags)"),
            Map.entry("SQE_IOPRIO", "offsetof(struct io_uring_sqe, ioprio)"),
            Map.entry("SQE_FD", "offsetof(struct io_uring_sqe, fd)"),
            Map.entry("SQE_OFF", "offsetof(struct io_uring_sqe, off)"),
            Map.entry("SQE_ADDR", "offsetof(struct io_uring_sqe, addr)"),
            Map.entry("SQE_LEN", "offsetof(struct io_uring_sqe, len)"),
            Map.entry("SQE_USER_DATA", "offsetof(struct io_uring_sqe, user_data)"),
            Map.entry("SQE_BUF_INDEX", "offsetof(struct io_uring_sqe, buf_index)"),
            Map.entry("SQE_SPLICE_FD_IN", "offsetof(struct io_uring_sqe, splice_fd_in)"),
            Map.entry("SQE_ADDR_LEN", "offsetof(struct io_uring_sqe, addr_len)"),
            Map.entry("SQE_ADDR3", "offsetof(struct io_uring_sqe, addr3)"),
            Map.entry("SQE_OP_FLAGS", "offsetof(struct io_uring_sqe, rw_flags)"),
            Map.entry("CQE_USER_DATA", "offsetof(struct io_uring_cqe, user_data)"),
            Map.entry("CQE_RES", "offsetof(struct io_uring_cqe, res)"),
            Map.entry("CQE_FLAGS", "offsetof(struct io_uring_cqe, flags)"),
            Map.entry("BUF_ADDR", "offsetof(struct io_uring_buf, addr)"),
            Map.entry("BUF_LEN", "offsetof(struct io_uring_buf, len)"),
            Map.entry("BUF_BID", "offsetof(struct io_uring_buf, bid)"),
            Map.entry("BUF_REG_ADDR", "offsetof(struct io_uring_buf_reg, ring_addr)"),
            Map.entry("BUF_REG_ENTRIES", "offsetof(struct io_uring_buf_reg, ring_entries)"),
            Map.entry("BUF_REG_BGID", "offsetof(struct io_uring_buf_reg, bgid)"),
            Map.entry("BUF_REG_FLAGS", "offsetof(struct io_uring_buf_reg, bgid) + 2 + 0 * sizeof(int)"),
            Map.entry(
                    "GETEVENTS_MIN_WAIT_USEC",
                    "offsetof(struct io_uring_getevents_arg, sigmask_sz) + 4 + 0 * sizeof(int)"),
            Map.entry("GETEVENTS_TS", "offsetof(struct io_uring_getevents_arg, ts)"),
            Map.entry("RSRC_UPDATE_DATA", "offsetof(struct io_uring_rsrc_update, data)"),
            Map.entry("SYNC_CANCEL_FD", "offsetof(struct io_uring_sync_cancel_reg, fd)"),
            Map.entry("SYNC_CANCEL_FLAGS", "offsetof(struct io_uring_sync_cancel_reg, flags)"),
            Map.entry("SYNC_CANCEL_TIMEOUT", "offsetof(struct io_uring_sync_cancel_reg, timeout)"),
            Map.entry("PROBE_LAST_OP", "offsetof(struct io_uring_probe, last_op)"),
            Map.entry("PROBE_OP_FLAGS", "offsetof(struct io_uring_probe_op, flags)"),
            Map.entry("MSG_NAME", "offsetof(struct msghdr, msg_name)"),
            Map.entry("MSG_NAMELEN", "offsetof(struct msghdr, msg_namelen)"),
            Map.entry("MSG_IOV", "offsetof(struct msghdr, msg_iov)"),
            Map.entry("MSG_IOVLEN", "offsetof(struct msghdr, msg_iovlen)"),
            Map.entry("MSG_CONTROL", "offsetof(struct msghdr, msg_control)"),
            Map.entry("MSG_CONTROLLEN", "offsetof(struct msghdr, msg_controllen)"),
            Map.entry("DELETE", "EPOLL_CTL_DEL"),
            Map.entry("CMSG_DATA_AT", "CMSG_LEN(0)"),
            Map.entry("CMSG_LEVEL", "offsetof(struct cmsghdr, cmsg_level)"),
            Map.entry("CMSG_SPACE_OF_INT", "CMSG_SPACE(sizeof(int))"),
            Map.entry("CMSG_TYPE", "offsetof(struct cmsghdr, cmsg_type)"),
            Map.entry("EE_CODE", "offsetof(struct sock_extended_err, ee_code)"),
            Map.entry("EE_DATA", "offsetof(struct sock_extended_err, ee_data)"),
            Map.entry("EE_INFO", "offsetof(struct sock_extended_err, ee_info)"),
            Map.entry("EE_ORIGIN", "offsetof(struct sock_extended_err, ee_origin)"),
            Map.entry("IOVEC_SIZE_OF", "sizeof(struct iovec)"),
            Map.entry("MSGHDR_SIZE_OF", "sizeof(struct msghdr)"),
            Map.entry("MSG_FLAGS", "offsetof(struct msghdr, msg_flags)"),
            Map.entry("SOCK_EXTENDED_ERR_SIZE_OF", "sizeof(struct sock_extended_err)"),
            Map.entry("STATFS_SIZE_OF", "sizeof(struct statfs)"),
            Map.entry("STATX_SIZE_OF", "sizeof(struct statx)"),
            Map.entry("STX_MODE", "offsetof(struct statx, stx_mode)"),
            Map.entry("STX_INO", "offsetof(struct statx, stx_ino)"),
            Map.entry("STX_SIZE", "offsetof(struct statx, stx_size)"),
            Map.entry("TIMEVAL_SIZE_OF", "sizeof(struct timeval)"),
            Map.entry("TV_USEC", "offsetof(struct timeval, tv_usec)"),
            Map.entry("SOCKADDR_STORAGE", "sizeof(struct sockaddr_storage)"),
            Map.entry("SOCKADDR_IN", "sizeof(struct sockaddr_in)"),
            Map.entry("SOCKADDR_IN6", "sizeof(struct sockaddr_in6)"),
            Map.entry("SUN_PATH", "offsetof(struct sockaddr_un, sun_path)"),
            Map.entry("SUN_PATH_MAX", "sizeof(((struct sockaddr_un *) 0)->sun_path)"));

    /** Different on the two targets, and therefore checked by themselves. */
    private static final Set<String> PER_TARGET = Set.of("DATA", "EVENT_SIZE", "O_DIRECT_X86", "O_DIRECT_ARM");

    /** Ours, or younger than the headers of many a system: the tests of zero-copy sends would notice. */
    private static final Set<String> NOT_IN_HEADERS = Set.of(
            "CONTROL",
            "CONTROL_SIZE",
            "HUGE_PAGE",
            "IOVECS",
            "NANOS_PER_SECOND",
            "SOF_TIMESTAMPING_OPT_ID_TCP",
            "TCPI_BYTES_ACKED");

    private static final String HEADERS = """
            #define _GNU_SOURCE
            #include <errno.h>
            #include <fcntl.h>
            #include <stddef.h>
            #include <unistd.h>
            #include <netinet/in.h>
            #include <netinet/tcp.h>
            #include <sys/epoll.h>
            #include <sys/eventfd.h>
            #include <sys/ioctl.h>
            #include <sys/socket.h>
            #include <sys/stat.h>
            #include <sys/mman.h>
            #include <sys/syscall.h>
            #include <sys/uio.h>
            #include <sys/un.h>
            #include <sys/vfs.h>
            #include <time.h>
            #include <linux/errqueue.h>
            #include <linux/io_uring.h>
            #include <linux/magic.h>
            #include <linux/net_tstamp.h>
            #include <linux/sockios.h>
            """;

    /** What the calls of six longs, and the offsets written as numbers in the code, take for granted. */
    private static final List<String> ASSUMED = List.of(
            "sizeof(long) == 8",
            "O_DIRECT == DIRECT",
            "sizeof(size_t) == 8",
            "sizeof(ssize_t) == 8",
            "sizeof(off_t) == 8",
            "sizeof(int) == 4",
            "sizeof(socklen_t) == 4",
            "sizeof(sa_family_t) == 2",
            "offsetof(struct sockaddr_in, sin_port) == 2",
            "offsetof(struct sockaddr_in, sin_addr) == 4",
            "offsetof(struct sockaddr_in6, sin6_port) == 2",
            "offsetof(struct sockaddr_in6, sin6_addr) == 8",
            "offsetof(struct sockaddr_in6, sin6_scope_id) == 24",
            "sizeof(((struct statfs *) 0)->f_type) == 8",
            "offsetof(struct statfs, f_type) == 0",
            "sizeof(struct linger) == 8",
            "offsetof(struct linger, l_onoff) == 0",
            "offsetof(struct linger, l_linger) == 4",
            "sizeof(((struct timeval *) 0)->tv_sec) == 8",
            "offsetof(struct timeval, tv_sec) == 0",
            "sizeof(((struct timeval *) 0)->tv_usec) == 8",
            "sizeof(((struct statx *) 0)->stx_mode) == 2",
            "sizeof(((struct statx *) 0)->stx_size) == 8",
            "sizeof(((struct statx *) 0)->stx_ino) == 8",
            "offsetof(struct epoll_event, events) == 0",
            "sizeof(struct epoll_event) == EVENT_SIZE",
            "offsetof(struct epoll_event, data) == DATA");

    private static List<String> constants() throws IllegalAccessException {
        List<String> equations = new ArrayList<>();
        for (Class<?> room : ROOMS) {
            for (Field field : room.getDeclaredFields()) {
                boolean number = field.getType() == int.class || field.getType() == long.class;
                if (Modifier.isStatic(field.getModifiers())
                        && Modifier.isFinal(field.getModifiers())
                        && number
                        && !NOT_IN_HEADERS.contains(field.getName())
                        && !PER_TARGET.contains(field.getName())) {
                    field.setAccessible(true);
                    String c = IN_C.getOrDefault(field.getName(), field.getName());
                    String cast = field.getType() == int.class ? "(int) (" : "(long) (";
                    equations.add(cast + c + ") == " + cast + field.getLong(null) + "L)");
                }
            }
        }
        return equations;
    }

    /** Names that came with kernels younger than the headers of some distributions: each header checks those it has. */
    private static final Pattern OF_RINGS =
            Pattern.compile("\\b(io_uring_|IORING_|IOU_|IOSQE_|IO_URING_OP_|SPLICE_F_FD)\\w+");

    private static List<String> ofRings() {
        List<String> equations = new ArrayList<>();
        for (Operation operation : Operation.values()) {
            equations.add("IORING_OP_" + operation + " == " + operation.ordinal());
        }
        for (SetupFlag flag : SetupFlag.values()) {
            equations.add("IORING_SETUP_" + flag + " == 1U << " + flag.ordinal());
        }
        for (EntryFlag flag : EntryFlag.values()) {
            equations.add("IOSQE_" + flag + "_BIT == " + flag.ordinal());
        }
        for (Feature feature : Feature.values()) {
            equations.add("IORING_FEAT_" + feature + " == 1U << " + feature.ordinal());
        }
        return equations;
    }

    private static boolean known(String equation, Set<String> names) {
        Matcher name = OF_RINGS.matcher(equation);
        return !name.find() || names.contains(name.group());
    }

    /** All the words of the header, as this compiler finds it. */
    private static Set<String> words(String compiler, Path directory) throws Exception {
        Path file = java.nio.file.Files.writeString(directory.resolve("h.c"), "#include <linux/io_uring.h>\n");
        Child child = Child.run(List.of(compiler, "-E", "-dD", file.toString()));
        return Set.of(
                Pattern.compile("\\W+").splitAsStream(child.out()).distinct().toArray(String[]::new));
    }

    private static List<String> errorNames() {
        List<String> equations = new ArrayList<>();
        for (int errno = 1; errno < 200; errno++) {
            String name = Errno.name(errno);
            if (!name.startsWith("errno ")) {
                equations.add(name + " == " + errno);
            }
        }
        return equations;
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({"gcc, x86_64, 12, 4", "aarch64-linux-gnu-gcc, aarch64, 16, 8"})
    @DisplayName("J1: sizes, offsets, flags, requests and errno values are those of the headers, by the compiler")
    void agreesWithTheHeaders(String compiler, String target, int eventSize, int data, @TempDir Path directory)
            throws Exception {
        Assumptions.assumeTrue(Child.has(compiler, "--version"), compiler + " is not installed");
        List<String> equations = new ArrayList<>(constants());
        assertThat(equations).hasSizeGreaterThan(80);
        equations.addAll(errorNames());
        equations.addAll(ASSUMED);
        equations.addAll(ofRings());
        Set<String> names = words(compiler, directory);
        assertThat(names).contains("IORING_OP_NOP");
        equations.removeIf(equation -> !known(equation, names));
        StringBuilder source = new StringBuilder(HEADERS);
        source.append("#ifndef __" + target + "__\n#error this is not the compiler for " + target + "\n#endif\n");
        source.append("#define DIRECT " + (target.equals("x86_64") ? 0x4000 : 0x10000) + "\n");
        source.append("#define EVENT_SIZE " + eventSize + "\n#define DATA " + data + "\n");
        for (String equation : equations) {
            source.append("_Static_assert(")
                    .append(equation)
                    .append(", \"")
                    .append(equation)
                    .append("\");\n");
        }
        Path file = java.nio.file.Files.writeString(directory.resolve("layout.c"), source);
        Child child = Child.run(List.of(compiler, "-std=gnu11", "-Wall", "-fsyntax-only", file.toString()));
        assertThat(child.exit()).as(child.err()).isZero();
    }

    @Test
    @DisplayName("J1: the running machine takes the layout of its own kind")
    void layoutOfThisMachine() {
        boolean arm = System.getProperty("os.arch").equals("aarch64");
        assertThat(Polling.EVENT_SIZE).isEqualTo(arm ? 16 : 12);
        assertThat(Polling.DATA).isEqualTo(arm ? 8 : 4);
    }

    @Test
    @DisplayName("J4: every errno up to the last one of the kernel's list has its name, others their number")
    void namesOfErrno() {
        assertThat(errorNames()).hasSizeGreaterThanOrEqualTo(131);
        assertThat(Errno.name(Errno.EPIPE)).isEqualTo("EPIPE");
        assertThat(Errno.name(0)).isEqualTo("errno 0");
        assertThat(Errno.name(-5)).isEqualTo("errno -5");
        assertThat(Errno.name(4711)).isEqualTo("errno 4711");
    }
}
