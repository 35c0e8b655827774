// LISTEN TARGET: a TCP relay of two io.Copy per connection, half-closing; Go splices by itself where it can.
package main

import (
	"io"
	"log"
	"net"
	"os"
)

func main() {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for {
		accepted, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go relay(accepted.(*net.TCPConn), os.Args[2])
	}
}

func relay(accepted *net.TCPConn, target string) {
	defer accepted.Close()
	conn, err := net.Dial("tcp", target)
	if err != nil {
		log.Print(err)
		return
	}
	defer conn.Close()
	connected := conn.(*net.TCPConn)
	back := make(chan struct{})
	go func() {
		io.Copy(accepted, connected)
		accepted.CloseWrite()
		close(back)
	}()
	io.Copy(connected, accepted)
	connected.CloseWrite()
	<-back
}
