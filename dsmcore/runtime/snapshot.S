/* SPDX-License-Identifier: BSD-2-Clause */
/* See snapshot.h. System V ABI, x86-64. */
	.text

/* int snapshot__take(struct snapshot *s: rdi) */
	.globl	snapshot__take
	.hidden	snapshot__take
	.type	snapshot__take, @function
snapshot__take:
	.cfi_startproc
	mov	%rbx, 0(%rdi)
	mov	%rbp, 8(%rdi)
	mov	%r12, 16(%rdi)
	mov	%r13, 24(%rdi)
	mov	%r14, 32(%rdi)
	mov	%r15, 40(%rdi)
	stmxcsr	64(%rdi)
	fnstcw	68(%rdi)
	mov	(%rsp), %rax
	lea	8(%rsp), %rsi
	mov	%rsi, 48(%rdi)
	mov	%rax, 56(%rdi)
	/* copy [rsp, top); copying here, not in C, leaves no moment in which registers and stack differ */
	mov	80(%rdi), %rcx
	sub	%rsi, %rcx
	mov	72(%rdi), %rdi
	cld
	rep movsb
	xor	%eax, %eax
	ret
	.cfi_endproc
	.size	snapshot__take, . - snapshot__take

/* void snapshot__resume(const struct snapshot *s: rdi, int value: esi) */
	.globl	snapshot__resume
	.hidden	snapshot__resume
	.type	snapshot__resume, @function
snapshot__resume:
	mov	%rdi, %r8
	mov	%esi, %eax
	/* first the stack pointer: a signal now must not be put over what is being restored */
	mov	48(%r8), %rsp
	mov	72(%r8), %rsi
	mov	%rsp, %rdi
	mov	80(%r8), %rcx
	sub	%rdi, %rcx
	cld
	rep movsb
	fninit
	fldcw	68(%r8)
	ldmxcsr	64(%r8)
	mov	0(%r8), %rbx
	mov	8(%r8), %rbp
	mov	16(%r8), %r12
	mov	24(%r8), %r13
	mov	32(%r8), %r14
	mov	40(%r8), %r15
	jmp	*56(%r8)
	.size	snapshot__resume, . - snapshot__resume

/* int snapshot__call(fn: rdi, argc: esi, argv: rdx, envp: rcx, top: r8) */
	.globl	snapshot__call
	.hidden	snapshot__call
	.type	snapshot__call, @function
snapshot__call:
	.cfi_startproc
	push	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	mov	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	mov	%r8, %rsp
	mov	%rdi, %rax
	mov	%esi, %edi
	mov	%rdx, %rsi
	mov	%rcx, %rdx
	call	*%rax
	mov	%rbp, %rsp
	pop	%rbp
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_endproc
	.size	snapshot__call, . - snapshot__call

	.section .note.GNU-stack, "", @progbits
