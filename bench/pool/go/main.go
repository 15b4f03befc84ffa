// SPDX-License-Identifier: MIT

// Peer: goroutines. `pool-go OPERATION COUNT` does so many operations with two workers, and prints how many.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
)

// Empty functions through a channel of 1024 to two goroutines.
func submit(count int) int {
	tasks := make(chan func(), 1024)
	var workers sync.WaitGroup
	for i := 0; i < 2; i++ {
		workers.Add(1)
		go func() {
			for task := range tasks {
				task()
			}
			workers.Done()
		}()
	}
	for i := 0; i < count; i++ {
		tasks <- func() {}
	}
	close(tasks)
	workers.Wait()
	return count
}

// Two goroutines that do nothing, and a wait for them.
func loop(count int) int {
	for i := 0; i < count; i++ {
		var both sync.WaitGroup
		both.Add(2)
		for j := 0; j < 2; j++ {
			go both.Done()
		}
		both.Wait()
	}
	return count
}

func main() {
	operations := map[string]func(int) int{"submit": submit, "loop": loop}
	if len(os.Args) != 3 || operations[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: pool-go submit|loop COUNT")
		os.Exit(2)
	}
	count, _ := strconv.Atoi(os.Args[2])
	runtime.GOMAXPROCS(2)
	fmt.Println(operations[os.Args[1]](count))
}
