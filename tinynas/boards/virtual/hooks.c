/* SPDX-License-Identifier: Apache-2.0
 *
 * The hooks of the virtual board that run too often for Python: counting instructions per block, checking the
 * alignment of loads and stores that fault on silicon, and watching which bytes a function reads and writes. Built for
 * the host when first needed; called by the emulator, whose functions are handed in as pointers, so that nothing has
 * to be linked.
 *
 * _native.py mirrors the structures.
 */
#include <stdint.h>

#define CACHE_BITS 14
#define STEP_LIMIT 4096

typedef int (*reg_read_function)(void *engine, int reg, void *value);
typedef int (*reg_write_function)(void *engine, int reg, const void *value);
typedef int (*stop_function)(void *engine);

/* Loads and stores of a block whose address leaves the same remainder modulo 4, or that of a sum of registers */
struct access {
  uint32_t coefficients; /* of the registers at the entry to the block, two bits each, that of R0 lowest */
  uint32_t constant;     /* what is added to their sum */
  uint32_t penalties[4]; /* cycles for all of them, by the remainder of their address */
};

/* A block of the emulator: instructions that end with the first branch, or with the page */
struct block {
  struct block *other; /* of another size, at the same address */
  uint32_t address;
  uint32_t size;
  uint32_t instructions;
  uint32_t cycles;     /* where it is jumped to, goes on behind its last instruction, and all accesses are aligned */
  int32_t joined;      /* more, where what lies before it was executed right before it */
  uint32_t taken;      /* more, where it does not go on behind its last instruction */
  uint32_t ends_with_branch;
  uint32_t access_count;
  const struct access *accesses;
  uint64_t executions; /* within inferences */
  int64_t more_cycles; /* in all of these, than cycles * executions */
};

typedef struct block *(*find_function)(uint32_t address, uint32_t size);

struct counter {
  reg_read_function reg_read;
  stop_function stop;
  find_function find;      /* describes a block when it is first seen, and clears `unknown` */
  struct block **blocks;   /* one per halfword from code_address */
  uint32_t code_address;
  uint32_t code_bytes;
  int32_t registers[16];   /* the emulator's numbers of the core registers */
  int32_t flags;           /* and of the flags register */
  uint32_t invoke_address; /* model_invoke, or model_push_row: [address, end) */
  uint32_t invoke_end;
  uint32_t calls_address;  /* what calls the kernels: model_invoke, or model_finish: [address, end) */
  uint32_t calls_end;
  const uint8_t *boundaries; /* one byte per halfword of that: is it where a call returns to? */
  uint32_t by_rows;        /* model_push_row: an inference is complete when it returns 0 */
  uint64_t instructions;   /* all, since reset */
  uint64_t cycles;         /* likewise, by the timing of the core */
  uint64_t limit;          /* stop when `instructions` reaches this */
  uint32_t limit_reached;
  uint32_t unknown;        /* a block could not be described: it ends with that block */
  uint32_t active;         /* inside model_invoke or what it calls */
  uint32_t return_address;
  uint32_t step;           /* calls that have returned in this inference */
  uint32_t inferences;     /* completed since the counts were cleared */
  struct block *last;      /* what is executed now; NULL after a stop */
  uint64_t *step_cycles;   /* those of the step that it belongs to, NULL outside inferences */
  uint64_t steps[STEP_LIMIT];
  uint64_t cycles_of_steps[STEP_LIMIT];
};

/* An instruction whose cycles depend on what it meets: one of an IT block, a division, an access to who knows where */
struct timed_instruction {
  struct counter *counter;
  uint32_t condition;    /* of the IT block */
  int32_t executed;      /* cycles on top where it is not skipped */
  struct access access;  /* penalties are 0 where it accesses nothing */
  int32_t dividend;      /* registers of a division, or -1 */
  int32_t divisor;
  uint32_t is_signed;
  uint32_t most;         /* cycles on top for 32 bits of quotient */
};

/* What the instruction at one halfword of the code needs */
struct instruction_needs {
  uint16_t window;  /* halfwords before it since which its base register has been the same modulo 4 */
  uint8_t base;     /* 1 + the number of the register that has to be aligned, or 0 */
  uint8_t fpu;      /* the FPU has to be on */
};

struct checked_block {
  uint32_t address;
  uint32_t size;
  uint32_t bases;  /* one bit per register that has to be aligned on entry */
  uint32_t fpu_at; /* the first instruction of the FPU, or 0 */
};

struct block_checks {
  reg_read_function reg_read;
  stop_function stop;
  const struct instruction_needs *needs; /* one per halfword of the code region */
  uint32_t code_address;
  uint32_t code_bytes;
  int32_t registers[16];  /* the emulator's numbers of the core registers */
  int32_t flags;          /* and of the flags register */
  uint32_t fpu_enabled;
  uint32_t failed_at;     /* the address of the first failing instruction, or 0 */
  uint32_t failed_address; /* the value of its base register, or 0 */
  struct checked_block cache[1u << CACHE_BITS];
};

/* One register, checked where it becomes what an instruction needs */
struct register_check {
  struct block_checks *checks;
  uint32_t instruction; /* that needs it: it is executed next or soon */
  uint32_t base;
  uint32_t condition;
};

struct access_watch {
  reg_read_function reg_read;
  reg_write_function reg_write;
  const uint8_t *rights; /* one byte per byte of memory from `address`: 1 it may be read, 2 it may be written */
  uint32_t address;
  uint32_t bytes;
  int32_t pc;              /* the emulator's number of the program counter */
  int32_t flags;           /* and of the flags register */
  uint32_t reads;          /* accesses that touched a byte without the right */
  uint32_t writes;
  uint32_t first_pc;       /* of the first of them */
  uint32_t first_address;
  uint32_t first_is_write;
};

static struct block *find_block(struct counter *counter, uint32_t address, uint32_t size) {
  uint32_t offset = address - counter->code_address;
  struct block **first = 0, *block;

  if (offset < counter->code_bytes) {
    first = &counter->blocks[offset >> 1];
    for (block = *first; block != 0; block = block->other) {
      if (block->size == size) {
        return block;
      }
    }
  }
  /* Python cannot raise through C: what it returns then is undefined, and it has not cleared `unknown`. */
  counter->unknown = 1;
  block = counter->find(address, size);
  if (counter->unknown || block == 0 || first == 0) {
    return 0;
  }
  block->other = *first;
  *first = block;
  return block;
}

static void add_cycles(struct counter *counter, int64_t cycles) {
  counter->cycles += (uint64_t)cycles;
  if (counter->step_cycles != 0) {
    *counter->step_cycles += (uint64_t)cycles;
    counter->last->more_cycles += cycles;
  }
}

static uint32_t read_core_register(void *engine, const struct counter *counter, uint32_t index) {
  uint32_t value = 0;

  counter->reg_read(engine, counter->registers[index], &value);
  return value;
}

static uint32_t penalty(void *engine, const struct counter *counter, const struct access *access) {
  uint32_t address = access->constant;

  for (uint32_t index = 0, left = access->coefficients; left != 0; index++, left >>= 2) {
    if ((left & 3u) != 0) {
      address += (left & 3u) * read_core_register(engine, counter, index);
    }
  }
  return access->penalties[address & 3u];
}

static void count_cycles(void *engine, struct counter *counter, const struct block *block, int32_t joined) {
  int64_t more = joined;

  for (uint32_t index = 0; index < block->access_count; index++) {
    more += penalty(engine, counter, &block->accesses[index]);
  }
  counter->cycles += block->cycles;
  if (counter->step_cycles != 0) {
    *counter->step_cycles += block->cycles;
  }
  if (more != 0) {
    add_cycles(counter, more);
  }
}

/* UC_HOOK_BLOCK */
void tn_count_block(void *engine, uint64_t where, uint32_t size, void *user) {
  struct counter *counter = user;
  uint32_t address = (uint32_t)where;
  struct block *block, *last = counter->last;
  int32_t joined = 0;

  if (counter->unknown) {
    counter->stop(engine);
    return;
  }
  block = find_block(counter, address, size);
  if (block == 0) {
    counter->last = 0;
    counter->step_cycles = 0;
    return;
  }
  if (last != 0) {
    if (address != last->address + last->size) {
      if (last->taken != 0) {
        add_cycles(counter, last->taken);
      }
    } else if (!last->ends_with_branch) {
      joined = block->joined;
    }
  }
  counter->last = block;
  counter->step_cycles = 0;
  counter->instructions += block->instructions;
  if (counter->instructions >= counter->limit) {
    counter->limit_reached = 1;
    counter->stop(engine);
  }
  if (address == counter->invoke_address && !counter->active) {
    counter->return_address = read_core_register(engine, counter, 14) & ~1u;
    counter->active = 1;
    counter->step = 0;
  } else if (counter->active && address == counter->return_address) {
    uint32_t missing = counter->by_rows ? read_core_register(engine, counter, 0) : 0;

    counter->active = 0;
    counter->inferences += missing == 0;
  }
  if (counter->active) {
    if (counter->by_rows && address >= counter->invoke_address && address < counter->invoke_end) {
      counter->step = 0;
    }
    if (counter->by_rows && address == counter->calls_address) {
      counter->step = 1;
    } else if (address >= counter->calls_address && address < counter->calls_end &&
               counter->boundaries[(address - counter->calls_address) >> 1] && counter->step + 1 < STEP_LIMIT) {
      counter->step++;
    }
    counter->steps[counter->step] += block->instructions;
    counter->step_cycles = &counter->cycles_of_steps[counter->step];
    block->executions++;
  }
  count_cycles(engine, counter, block, joined);
}

/* Condition codes: DDI 0403, table A7-1. N, Z, C and V are bits 31 to 28 of the flags. */
static int condition_holds(uint32_t condition, uint32_t flags) {
  uint32_t n = flags >> 31, z = flags >> 30 & 1u, c = flags >> 29 & 1u, v = flags >> 28 & 1u;
  uint32_t holds;

  switch (condition >> 1) {
    case 0: holds = z; break;
    case 1: holds = c; break;
    case 2: holds = n; break;
    case 3: holds = v; break;
    case 4: holds = c && !z; break;
    case 5: holds = n == v; break;
    case 6: holds = n == v && !z; break;
    default: return 1;
  }
  return (condition & 1u) ? !holds : (int)holds;
}

static uint32_t bits_of(uint32_t value) {
  uint32_t bits = 0;

  for (; value != 0; value >>= 1) {
    bits++;
  }
  return bits;
}

/* In proportion to the length of the quotient, by the leading zeros of its operands; rounded up */
static uint32_t division_cycles(void *engine, const struct timed_instruction *timed) {
  uint32_t dividend = read_core_register(engine, timed->counter, (uint32_t)timed->dividend);
  uint32_t divisor = read_core_register(engine, timed->counter, (uint32_t)timed->divisor);
  uint32_t quotient_bits;

  if (timed->is_signed) {
    dividend = dividend >> 31 ? 0u - dividend : dividend;
    divisor = divisor >> 31 ? 0u - divisor : divisor;
  }
  if (divisor == 0 || dividend < divisor) {
    return 0;
  }
  quotient_bits = bits_of(dividend) - bits_of(divisor) + 1u;
  return (quotient_bits * timed->most + 31u) / 32u;
}

/* UC_HOOK_CODE, at the one instruction that `user` belongs to */
void tn_time_instruction(void *engine, uint64_t where, uint32_t size, void *user) {
  const struct timed_instruction *timed = user;
  struct counter *counter = timed->counter;
  uint32_t flags = 0;
  int64_t more;

  (void)where;
  (void)size;
  if (counter->last == 0) {
    return;
  }
  if (timed->condition < 14) {
    counter->reg_read(engine, counter->flags, &flags);
    if (!condition_holds(timed->condition, flags)) {
      return;
    }
  }
  more = timed->executed + (int64_t)penalty(engine, counter, &timed->access);
  if (timed->dividend >= 0) {
    more += division_cycles(engine, timed);
  }
  add_cycles(counter, more);
}

static void require_alignment(void *engine, struct block_checks *checks, uint32_t base, uint32_t instruction) {
  uint32_t value = 0;

  checks->reg_read(engine, checks->registers[base], &value);
  if ((value & 3u) != 0 && checks->failed_at == 0) {
    checks->failed_at = instruction;
    checks->failed_address = value;
    checks->stop(engine);
  }
}

/* UC_HOOK_CODE, at the one instruction that `user` belongs to */
void tn_check_register(void *engine, uint64_t where, uint32_t size, void *user) {
  const struct register_check *check = user;
  uint32_t flags = 0;

  (void)where;
  (void)size;
  if (check->condition < 14) {
    check->checks->reg_read(engine, check->checks->flags, &flags);
    if (!condition_holds(check->condition, flags)) {
      return;
    }
  }
  require_alignment(engine, check->checks, check->base, check->instruction);
}

static const struct instruction_needs *needs_at(const struct block_checks *checks, uint32_t address) {
  return &checks->needs[(address - checks->code_address) >> 1];
}

static int needs_on_entry(const struct block_checks *checks, uint32_t block, uint32_t address) {
  const struct instruction_needs *needs = needs_at(checks, address);

  return needs->base != 0 && address - block <= 2u * needs->window;
}

static const struct checked_block *find_checked_block(struct block_checks *checks, uint32_t address, uint32_t size) {
  struct checked_block *block = &checks->cache[(address >> 1) & ((1u << CACHE_BITS) - 1u)];

  if (block->address != address || block->size != size) {
    block->address = address;
    block->size = size;
    block->bases = 0;
    block->fpu_at = 0;
    for (uint32_t at = address; at < address + size; at += 2) {
      if (needs_on_entry(checks, address, at)) {
        block->bases |= 1u << (needs_at(checks, at)->base - 1);
      }
      if (needs_at(checks, at)->fpu && block->fpu_at == 0) {
        block->fpu_at = at;
      }
    }
  }
  return block;
}

/* UC_HOOK_BLOCK */
void tn_check_block(void *engine, uint64_t where, uint32_t size, void *user) {
  struct block_checks *checks = user;
  uint32_t address = (uint32_t)where;
  uint32_t offset = address - checks->code_address;
  const struct checked_block *block;
  uint32_t bases;

  if (offset > checks->code_bytes || size > checks->code_bytes - offset) {
    return; /* not in flash: the machine stops at the fetch */
  }
  block = find_checked_block(checks, address, size);
  if (block->fpu_at != 0 && !checks->fpu_enabled && checks->failed_at == 0) {
    checks->failed_at = block->fpu_at;
    checks->stop(engine);
  }
  bases = block->bases;
  for (uint32_t base = 0; bases != 0; base++, bases >>= 1) {
    if (bases & 1u) {
      uint32_t at = address;

      while (needs_at(checks, at)->base != base + 1 || !needs_on_entry(checks, address, at)) {
        at += 2;
      }
      require_alignment(engine, checks, base, at);
    }
  }
}

#define EMULATOR_WRITE 17 /* uc_mem_type of unicorn.h: UC_MEM_WRITE */

#define IF_THEN_BITS 0x0600FC00u /* of the flags register, as in Armv7-A: DDI 0406, B1.3.3 */

/* For a hook, the emulator (2.1) sets the state of IT to that at the access, and forgets it there: the next block would
 * be executed under the condition of this instruction. Within a block nothing depends on what is cleared. */
static void leave_if_then(void *engine, const struct access_watch *watch) {
  uint32_t flags = 0;

  watch->reg_read(engine, watch->flags, &flags);
  if ((flags & IF_THEN_BITS) != 0) {
    flags &= ~IF_THEN_BITS;
    watch->reg_write(engine, watch->flags, &flags);
  }
}

/* UC_HOOK_MEM_READ and UC_HOOK_MEM_WRITE over the watched memory; the machine goes on */
void tn_watch_access(void *engine, int type, uint64_t where, int size, int64_t value, void *user) {
  struct access_watch *watch = user;
  uint8_t right = type == EMULATOR_WRITE ? 2 : 1;
  uint32_t offset = (uint32_t)where - watch->address;

  (void)value;
  leave_if_then(engine, watch);
  for (int index = 0; index < size; index++) {
    if (offset + (uint32_t)index >= watch->bytes || (watch->rights[offset + (uint32_t)index] & right) != 0) {
      continue;
    }
    if (watch->reads + watch->writes == 0) {
      watch->reg_read(engine, watch->pc, &watch->first_pc);
      watch->first_address = (uint32_t)where;
      watch->first_is_write = right == 2;
    }
    watch->reads += right == 1;
    watch->writes += right == 2;
    return;
  }
}
