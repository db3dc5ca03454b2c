"""Makes each of a list of system calls with arguments that no call takes, and prints what became of it.

argv: the ABI (x86_64, x32 or i386), then numbers. Prints `number verdict` lines: an errno, 0, `value` (the call
succeeded), or `signal`. Each call is made in a process of its own, by machine code, so that nothing but the kernel and
a filter answers.
"""
import ctypes
import mmap
import os
import signal
import sys
import time

X32_BIT = 0x40000000
MINUS_ONE_64 = bytes.fromhex("48c7c7ffffffff 48c7c6ffffffff 48c7c2ffffffff 49c7c2ffffffff 49c7c0ffffffff 49c7c1ffffffff")
MINUS_ONE_32 = bytes.fromhex("bbffffffff b9ffffffff baffffffff beffffffff bfffffffff bdffffffff")
# mov eax, edi; ...; syscall; ret
NATIVE = bytes.fromhex("89f8") + MINUS_ONE_64 + bytes.fromhex("0f05 c3")
# push rbx; push rbp; mov eax, edi; ...; int 0x80; pop rbp; pop rbx; ret
COMPAT = bytes.fromhex("53 55 89f8") + MINUS_ONE_32 + bytes.fromhex("cd80 5d 5b c3")


def caller(code):
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    function = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_uint32)(address)
    return page, function


def attempt(call, number):
    pid = os.fork()
    if pid == 0:
        result = call(number)
        # 200 is no errno that a filter or these arguments give.
        os._exit(-result if -200 < result < 0 else 200)
    # Calls that wait are calls that were let in; some of them with every signal blocked.
    for _ in range(600):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        time.sleep(0.001)
    else:
        os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        return "signal"
    code = os.WEXITSTATUS(status)
    return "value" if code in (0, 200, 255) else str(code)


def main():
    abi, numbers = sys.argv[1], [int(number) for number in sys.argv[2:]]
    page, call = caller(COMPAT if abi == "i386" else NATIVE)
    bit = X32_BIT if abi == "x32" else 0
    for number in numbers:
        print(number, attempt(call, number | bit), flush=True)
    # The code must outlive its calls.
    assert page is not None
    os._exit(0)


main()
