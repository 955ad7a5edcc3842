# What the packed executable does before the runtime's own first instruction (x86-64, Linux, position independent).
#
# The dynamic linker has done its work; the stack holds what the kernel put there: argument count, arguments, 0, environment, 0,
# auxiliary vector. This makes a second such vector below it, with the runtime's arguments behind the program's name, without the
# variables that would change how the runtime behaves and with a few added, tells libc where the environment is now, and goes on
# to the runtime's entry point. Nothing of the first vector is changed: `ps` shows the command line as it was typed.
#
# It also watches the end. The runtime ends with code 1 when it cannot start or fails inside (no thread to be had, working directory
# gone), and 1 is what archive-get answers when a segment does not exist: PostgreSQL would end its recovery and lose what follows. So the
# first variable that is added is a mark, which the program removes just before it ends itself, and a process that ends with the mark
# still there ends with 126, whatever the runtime said.
#
# build/elf_entry.ts holds these instructions as bytes; tests/unit/elf_entry_test.ts assembles this file and compares. What differs
# from build to build stands in the table that follows the code (written by elf_entry.ts):
#    0  u64  table address minus the runtime's entry point
#    8  u64  table address minus the place where the dynamic linker stored the address of `environ`
#   16  u32  number of arguments to insert
#   20  u32  number of variables to add
#   24  u32  offset of the arguments, zero-terminated one after the other
#   28  u32  offset of the variables, in the same form
#   32  u32  offset of the prefixes of variables to keep though they are to be dropped; an empty one ends them
#   36  u32  offset of the prefixes of variables to drop, in the same form
#   40  u64  table address minus the address of a word of memory that nobody else uses

.intel_syntax noprefix
.text
start:
        endbr64
        mov     rbp, rsp                # the kernel's vector
        mov     r15, rdx                # what the dynamic linker wants called at exit
        lea     rbx, [rip + table]

        # The program is read from the executable's own file: without that, say so at once.
        lea     rdi, [rip + own_file]
        mov     esi, 0x80000            # O_RDONLY | O_CLOEXEC
        xor     edx, edx
        mov     eax, 2                  # open
        syscall
        test    eax, eax
        js      unreadable
        mov     edi, eax
        mov     eax, 3                  # close
        syscall

        # The runtime wants to know where it is, and does not start in a directory that was removed.
        sub     rsp, 4096
        mov     rdi, rsp
        mov     esi, 4096
        mov     eax, 79                 # getcwd
        syscall
        mov     rsp, rbp
        cmp     rax, -2                 # ENOENT; of others the runtime makes what it can
        je      nowhere

        # Where the parts of the kernel's vector are.
        mov     r13, [rbp]              # argument count; 0 when someone starts it without even a name
        lea     r14, [rbp + 8*r13 + 16] # environment
        mov     rax, r14
1:      add     rax, 8
        cmp     qword ptr [rax - 8], 0
        jne     1b
        mov     r12, rax                # auxiliary vector
2:      add     rax, 16
        cmp     qword ptr [rax - 16], 0
        jne     2b

        # Room for all of it, for what is inserted, and for a name.
        sub     rax, rbp
        mov     ecx, [rbx + 16]
        add     ecx, [rbx + 20]
        lea     rax, [rax + 8*rcx + 8]
        sub     rsp, rax
        and     rsp, -16
        mov     rdx, rsp                # where the next word goes

        # Argument count, name, inserted arguments, the other arguments, 0.
        lea     rsi, [rbp + 8]
        lea     rax, [rip + own_file]
        test    r13, r13
        jz      3f
        lodsq
        dec     r13
3:      mov     r9, rsi
        mov     ecx, [rbx + 16]
        lea     r13, [r13 + rcx + 1]
        mov     [rdx], r13
        mov     [rdx + 8], rax
        add     rdx, 16
        mov     esi, [rbx + 24]
        call    insert
        mov     rsi, r9
4:      lodsq
        mov     [rdx], rax
        add     rdx, 8
        test    rax, rax
        jnz     4b

        # Environment: kept, added, 0.
        mov     r10, rdx
5:      mov     rdi, [r14]
        add     r14, 8
        test    rdi, rdi
        jz      7f
        mov     esi, [rbx + 32]
        call    listed
        jc      6f
        mov     esi, [rbx + 36]
        call    listed
        jc      5b
6:      mov     [rdx], rdi
        add     rdx, 8
        jmp     5b
7:      mov     ecx, [rbx + 20]
        mov     esi, [rbx + 28]
        call    insert
        mov     qword ptr [rdx], 0
        add     rdx, 8

        # Auxiliary vector.
8:      mov     rax, [r12]
        mov     rcx, [r12 + 8]
        add     r12, 16
        mov     [rdx], rax
        mov     [rdx + 8], rcx
        add     rdx, 16
        test    rax, rax
        jnz     8b

        # environ = the new environment.
        mov     rax, rbx
        sub     rax, [rbx + 8]
        mov     rax, [rax]
        mov     [rax], r10

        # On to the runtime with the registers it expects; libc calls what is in rdx at exit, after everything else.
        mov     rax, rbx
        sub     rax, [rbx + 40]
        mov     [rax], r15
        lea     rdx, [rip + ending]
        mov     rax, rbx
        sub     rax, [rbx]
        jmp     rax

# Called by libc when the process ends by exit() or by return from main.
ending:
        lea     rdx, [rip + table]
        mov     ecx, [rdx + 28]
        add     rcx, rdx                # the mark
        mov     rax, rdx
        sub     rax, [rdx + 8]
        mov     rax, [rax]
        mov     rax, [rax]              # environ
        test    rax, rax
        jz      2f
1:      mov     rsi, [rax]
        add     rax, 8
        cmp     rsi, rcx
        je      failed
        test    rsi, rsi
        jnz     1b
2:      mov     rax, rdx
        sub     rax, [rdx + 40]
        mov     rax, [rax]
        test    rax, rax
        jz      3f
        jmp     rax
3:      ret

# Appends the addresses of ecx zero-terminated texts, the first at offset esi of the table, to the vector at rdx.
insert:
        add     rsi, rbx
1:      dec     ecx
        js      3f
        mov     [rdx], rsi
        add     rdx, 8
2:      lodsb
        test    al, al
        jnz     2b
        jmp     1b
3:      ret

# Carry is set when the text at rdi begins with one of the prefixes in the list at offset esi of the table.
listed:
        add     rsi, rbx
1:      cmp     byte ptr [rsi], 0
        je      4f                      # cmp left carry clear
        mov     rcx, rdi
2:      lodsb
        test    al, al
        jz      5f
        inc     rcx
        cmp     al, [rcx - 1]
        je      2b
3:      lodsb
        test    al, al
        jnz     3b
        jmp     1b
4:      ret
5:      stc
        ret

nowhere:
        lea     rsi, [rip + lost]
        mov     edx, offset lost_end - lost
        jmp     complain
unreadable:
        lea     rsi, [rip + complaint]
        mov     edx, offset complaint_end - complaint
complain:
        mov     edi, 2
        mov     eax, 1                  # write
        syscall
failed: mov     edi, 126                # the shell's "found, but cannot be run"; PostgreSQL takes no code above 125 for "no such file"
        mov     eax, 231                # exit_group
        syscall

own_file:
        .asciz  "/proc/self/exe"
complaint:
        .ascii  "walferry: cannot start: /proc/self/exe cannot be read (is /proc mounted, and may this account read the executable?)\n"
complaint_end:
lost:
        .ascii  "walferry: cannot start: the current directory was removed: change to one that exists, such as cd /\n"
lost_end:
        .balign 8, 0
table:
