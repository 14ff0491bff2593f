//! Rust as it is released: calls of calls, a closure in a box, a trait object, and a sort of the standard library with a comparison
//! that takes its time. Each runs for as many seconds of CPU time as the first argument says.

use std::hint::black_box;

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

const CLOCK_THREAD_CPUTIME_ID: i32 = 3;

fn cpu_seconds() -> f64 {
    let mut t = Timespec { seconds: 0, nanoseconds: 0 };
    unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &mut t) };
    t.seconds as f64 + t.nanoseconds as f64 / 1e9
}

#[inline(never)]
fn turns(seconds: f64, work: fn() -> u64) {
    let until = cpu_seconds() + seconds;
    loop {
        black_box(work());
        if cpu_seconds() >= until {
            break;
        }
    }
}

#[inline(never)]
fn leaf(n: u64) -> u64 {
    let mut x = n;
    for i in 0..n {
        x = black_box(x.wrapping_mul(3) ^ i);
    }
    x
}

#[inline(never)]
fn boxed(n: u64) -> u64 {
    let by = black_box(3);
    let f: Box<dyn Fn(u64) -> u64> = Box::new(move |n| {
        let mut x = n;
        for _ in 0..n {
            x = black_box(x + by);
        }
        x
    });
    black_box(f)(n) + 1
}

trait Shape {
    fn area(&self, n: u64) -> u64;
}

struct Square(u64);

impl Shape for Square {
    #[inline(never)]
    fn area(&self, n: u64) -> u64 {
        leaf(n) + self.0
    }
}

#[inline(never)]
fn chain() -> u64 {
    black_box(leaf(1_000_000)) + 1
}

#[inline(never)]
fn closure() -> u64 {
    black_box(boxed(1_000_000)) + 1
}

#[inline(never)]
fn object() -> u64 {
    let shape: Box<dyn Shape> = black_box(Box::new(Square(3)));
    black_box(shape.area(1_000_000)) + 1
}

#[inline(never)]
fn weigh(n: u64) -> u64 {
    let mut x = n;
    for _ in 0..n {
        x = black_box(x + 7);
    }
    x
}

#[inline(never)]
fn sort() -> u64 {
    let mut values: Vec<u64> = (0..100).map(|i| i * 37 % 100).collect();
    values.sort_by(|a, b| {
        black_box(weigh(1000));
        a.cmp(b)
    });
    black_box(values)[0]
}

fn main() {
    let seconds = std::env::args().nth(1).map_or(0.1, |s| s.parse().unwrap());
    turns(seconds, chain);
    turns(seconds, closure);
    turns(seconds, object);
    turns(seconds, sort);
}
