// Program cgowalk calls C that calls Go, between SIGSTOPs.
package main

/*
#include <stdlib.h>
extern int goCompare(void*, void*);
static int cmp(const void *a, const void *b) { return goCompare((void*)a, (void*)b); }
static void sort(int *a, int n) { qsort(a, n, sizeof *a, cmp); }
*/
import "C"
import (
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

func init() { runtime.LockOSThread() }

//export goCompare
func goCompare(a, b unsafe.Pointer) C.int { return *(*C.int)(a) - *(*C.int)(b) }

func stop() {
	if err := syscall.Tgkill(os.Getpid(), syscall.Gettid(), syscall.SIGSTOP); err != nil {
		panic(err)
	}
}

func main() {
	a := []C.int{5, 3, 7, 1, 9}
	C.sort(&a[0], 5)
	a = []C.int{5, 3, 7, 1, 9}
	stop()
	C.sort(&a[0], 5)
	stop()
	for {
		C.sort(&a[0], 5)
	}
}
