package symbol

// The programs of TestInlines.

// inlinesHeader is a file of its own, from which functions are inlined.
const inlinesHeader = `
namespace lib {
template <class T, int N> struct List {
	T at[N]; int n;
	List() : n(0) {}
	void add(const T &x) { if (n < N) at[n++] = x; }
	T *begin() { return at; }
	T *end() { return at + n; }
};
template <class T> inline void swap(T &a, T &b) { T c = a; a = b; b = c; }
template <class I, class F> inline void sort(I from, I to, F less) {
	for (I i = from; i != to; ++i)
		for (I j = i; j != from && less(*j, *(j - 1)); --j) swap(*j, *(j - 1));
}
inline unsigned hash(const char *s) { unsigned h = 5381; while (*s) h = h * 33 + (unsigned char)*s++; return h; }
}
`

const inlinesSource = `
#include "inlines.h"
namespace outer {
namespace {
struct Shape { virtual ~Shape() {} virtual int area() const = 0; };
struct Square : Shape { int side; explicit Square(int s) : side(s) {} int area() const override { return square(side); } static int square(int s) { return s * s + s / 3; } };
template <class T> inline T twice(T x) { return x + x * Square::square(x); }
}
int local(int n) {
	struct Counter { int at; int next(int by) { lib::List<int, 8> v; v.add(at); v.add(by); lib::sort(v.begin(), v.end(), [](int a, int b) { return a > b; }); return at += v.at[0]; } };
	Counter c{n};
	int s = 0;
	for (int i = 1; i < n; i++) s += c.next(i);
	return s;
}
}
struct Word { unsigned key; int count; };
__attribute__((noinline)) int words(char **text) {
	lib::List<Word, 32> list;
	for (; *text; text++) list.add(Word{lib::hash(*text), (int)**text});
	lib::sort(list.begin(), list.end(), [](const Word &a, const Word &b) { return a.count > b.count || (a.count == b.count && a.key < b.key); });
	return list.n ? list.at[0].count : 0;
}
int main(int argc, char **argv) {
	outer::Shape *s = new outer::Square(argc);
	int sum = words(argv) + outer::twice(s->area()) + outer::local(argc);
	delete s;
	return sum & 1;
}
`

// librarySource has what the standard library inlines: it takes a second to compile.
const librarySource = `
#include <algorithm>
#include <map>
#include <string>
#include <vector>
namespace outer {
namespace {
struct Shape { virtual ~Shape() {} virtual int area() const = 0; };
struct Square : Shape { int side; explicit Square(int s) : side(s) {} int area() const override { return square(side); } static int square(int s) { return s * s + s / 3; } };
template <class T> inline T twice(T x) { return x + x * Square::square(x); }
}
int local(int n) {
	struct Counter { int at; int next(int by) { std::vector<int> v(by, at); std::sort(v.begin(), v.end()); return at += v[0]; } };
	Counter c{n};
	int s = 0;
	for (int i = 1; i < n; i++) s += c.next(i);
	return s;
}
}
__attribute__((noinline)) int words(const std::string &text) {
	std::map<std::string, int> count;
	for (size_t i = 0; i + 3 < text.size(); i += 3) count[text.substr(i, 3)]++;
	std::vector<std::pair<int, std::string>> list;
	for (auto &w : count) list.emplace_back(w.second, w.first);
	std::sort(list.begin(), list.end(), [](const auto &a, const auto &b) { return a.first > b.first || (a.first == b.first && a.second < b.second); });
	return list.empty() ? 0 : list[0].first;
}
int main(int argc, char **argv) {
	outer::Shape *s = new outer::Square(argc);
	int sum = words(argv[0]) + outer::twice(s->area()) + outer::local(argc);
	delete s;
	return sum & 1;
}
`

const nestedSource = `
static inline int add(int a, int b) { volatile int s = a; s += b; return s; }
int outer(int n) {
	__attribute__((noinline)) int nested(int x) { return add(x, n) * 3; }
	return nested(n) + nested(add(n, 2));
}
int main(int argc, char **argv) { return outer(argc) & 1; }
`

const rustSource = `
fn main() {
    let words: Vec<String> = std::env::args().collect();
    let mut count = std::collections::HashMap::new();
    for w in words.iter().flat_map(|w| w.split('/')) { *count.entry(w.to_string()).or_insert(0u32) += 1; }
    let mut list: Vec<_> = count.iter().collect();
    list.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    println!("{:?}", list.iter().map(|x| x.1).sum::<u32>());
}
`
