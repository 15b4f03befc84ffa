// SPDX-License-Identifier: MIT

// Peer: goroutines and channels of Go on one processor. It speaks as much of Google Benchmark's command line as
// bench/run.py does.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const batch = 256

type benchmark struct {
	name string
	body func(until func() bool) int64
}

func yields(count int) func(func() bool) int64 {
	return func(until func() bool) int64 {
		over, ended, ops := false, make(chan bool), int64(0)
		for i := 1; i < count; i++ {
			go func() {
				for !over {
					runtime.Gosched()
				}
				ended <- true
			}()
		}
		for until() {
			for i := 0; i < batch; i++ {
				runtime.Gosched()
				ops += int64(count)
			}
		}
		over = true
		for i := 1; i < count; i++ {
			<-ended
		}
		return ops
	}
}

func createJoin(until func() bool) (ops int64) {
	for until() {
		for i := 0; i < batch; i++ {
			ended := make(chan bool)
			go func() { close(ended) }()
			<-ended
			ops++
		}
	}
	return ops
}

func roundTrip(until func() bool) (ops int64) {
	there, back := make(chan int), make(chan int)
	go func() {
		for item := range there {
			back <- item
		}
	}()
	for until() {
		for i := 0; i < batch; i++ {
			there <- i
			<-back
			ops++
		}
	}
	close(there)
	return ops
}

func grow(leaves, first int, sum chan int) {
	if leaves == 1 {
		sum <- first
		return
	}
	sums, all := make(chan int), 0
	for i := 0; i < 10; i++ {
		go grow(leaves/10, first+i*(leaves/10), sums)
	}
	for i := 0; i < 10; i++ {
		all += <-sums
	}
	sum <- all
}

func skynet(leaves int) func(func() bool) int64 {
	return func(until func() bool) int64 {
		sum := make(chan int)
		go grow(leaves, 0, sum)
		if <-sum != leaves*(leaves-1)/2 {
			panic("wrong sum")
		}
		return int64(leaves)
	}
}

const message, echoRounds = 64, 40 // as in echo.h and echo.c

// What a benchmark reports besides its time.
var counter string

func serve(connection net.Conn, open *sync.WaitGroup) {
	buffer := make([]byte, message)
	for {
		got, err := connection.Read(buffer)
		if err != nil {
			break
		}
		if _, err = connection.Write(buffer[:got]); err != nil {
			panic(err)
		}
	}
	connection.Close()
	open.Done()
}

// The server of echo.h.
func echo(connections int) func(func() bool) int64 {
	return func(func() bool) int64 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		self, _ := os.Executable()
		rounds, port := connections*echoRounds, listener.Addr().(*net.TCPAddr).Port
		client := exec.Command(filepath.Join(filepath.Dir(self), "echo-client"), strconv.Itoa(port),
			strconv.Itoa(connections), strconv.Itoa(rounds))
		client.Stderr = os.Stderr
		start, _ := client.StdinPipe()
		if err = client.Start(); err != nil {
			panic(err)
		}
		var open sync.WaitGroup
		for i := 0; i < connections; i++ {
			connection, err := listener.Accept()
			if err != nil {
				panic(err)
			}
			open.Add(1)
			go serve(connection, &open)
		}
		began := cpu()
		start.Write([]byte{0})
		open.Wait()
		counter = fmt.Sprintf("\"server_us\": %g, ", (cpu()-began)*1e6/float64(rounds))
		if err = client.Wait(); err != nil {
			panic(err)
		}
		listener.Close()
		return int64(rounds)
	}
}

var all = []benchmark{
	{"echo/go/100/threads:1", echo(100)},
	{"echo/go/1000/threads:1", echo(1000)},
	{"yield/go/2/threads:1", yields(2)},
	{"yield/go/1000/threads:1", yields(1000)},
	{"create-join/go/threads:1", createJoin},
	{"round-trip/go/threads:1", roundTrip},
	{"skynet/go/100000/threads:1", skynet(100000)},
	{"skynet/go/1000000/threads:1", skynet(1000000)},
}

func cpu() float64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) * 1e-9
}

func main() {
	list := flag.Bool("benchmark_list_tests", false, "print the names")
	filter := flag.String("benchmark_filter", ".", "regular expression over the names")
	_ = flag.String("benchmark_format", "json", "there is no other")
	seconds := flag.Float64("ring3_seconds", 0.15, "how long to run")
	flag.Parse()
	runtime.GOMAXPROCS(1)
	wanted, err := regexp.Compile(*filter)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	comma := ""
	if !*list {
		fmt.Println(`{"benchmarks": [`)
	}
	for _, b := range all {
		if !wanted.MatchString(b.name) {
			continue
		}
		if *list {
			fmt.Println(b.name)
			continue
		}
		counter = ""
		begin, before := time.Now(), cpu()
		ops := b.body(func() bool { return time.Since(begin).Seconds() < *seconds })
		used, wall := cpu()-before, time.Since(begin).Seconds()
		fmt.Printf("%s{\"name\": %q, \"run_type\": \"iteration\", \"threads\": 1, \"iterations\": %d, "+
			"%s\"real_time\": %g, \"cpu_time\": %g, \"time_unit\": \"ns\", \"cpu_s\": %g, \"items_per_second\": %g}\n",
			comma, b.name, ops, counter, wall*1e9/float64(ops), used*1e9/float64(ops), used, float64(ops)/wall)
		comma = ","
	}
	if !*list {
		fmt.Println("]}")
	}
}
