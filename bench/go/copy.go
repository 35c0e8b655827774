// Moves one stream per line of the standard input, "SOURCE SINK", by io.Copy, and answers
// "done BYTES ALLOCATED WAY". Go splices by itself where it can.
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
)

func main() {
	fmt.Println("hello", runtime.Version(), "io.Copy")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		addresses := strings.Fields(lines.Text())
		source, sink := dial(addresses[0]), dial(addresses[1])
		count, err := io.Copy(sink, source)
		if err != nil {
			log.Fatal(err)
		}
		source.Close()
		sink.Close()
		runtime.ReadMemStats(&after)
		fmt.Println("done", count, after.TotalAlloc-before.TotalAlloc, "io.Copy")
	}
}

func dial(address string) net.Conn {
	network, rest, _ := strings.Cut(address, ":")
	dialer := net.Dialer{Control: func(network, address string, c syscall.RawConn) error {
		if strings.HasPrefix(network, "unix") {
			return nil
		}
		var err error
		c.Control(func(fd uintptr) {
			err = syscall.SetsockoptString(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, "cubic")
		})
		return err
	}}
	conn, err := dialer.Dial(network, rest)
	if err != nil {
		log.Fatal(err)
	}
	return conn
}
