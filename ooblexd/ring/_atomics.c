/* Atomic operations on 64-bit words of shared memory, for ooblexd.ring.atomics.

   Each function takes the address of a word as an integer. Py_buffer entered the
   limited API only with Python 3.11; without it one build serves every CPython from
   3.10 on. Whoever calls keeps the memory mapped: there is nothing here to check it.

   What the instructions are, and why they suffice, is argued in spec.py. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

_Static_assert(sizeof(void *) == 8, "a word of the ring is as wide as an address");

/* Return the word at an address, or NULL with an exception set. */
static uint64_t *
word_at(PyObject *address)
{
    unsigned long long value = PyLong_AsUnsignedLongLong(address);

    if (value == (unsigned long long)-1 && PyErr_Occurred())
        return NULL;
    if (value == 0 || value % sizeof(uint64_t) != 0) {
        PyErr_SetString(PyExc_ValueError, "not the address of an aligned word");
        return NULL;
    }
    return (uint64_t *)(uintptr_t)value;
}

/* Py_RETURN_NONE takes no reference when compiled against Python 3.12 or newer, where
   None is immortal; on 3.10 and 3.11, which this build serves too, that takes None down
   by one a call until the process aborts. */
static PyObject *
none(void)
{
    Py_IncRef(Py_None);
    return Py_None;
}

static int
takes(Py_ssize_t found, Py_ssize_t wanted)
{
    if (found == wanted)
        return 1;
    PyErr_Format(PyExc_TypeError, "%zd arguments, takes %zd", found, wanted);
    return 0;
}

static PyObject *
load(PyObject *module, PyObject *address)
{
    uint64_t *word = word_at(address);

    (void)module;
    if (word == NULL)
        return NULL;
    return PyLong_FromUnsignedLongLong(__atomic_load_n(word, __ATOMIC_ACQUIRE));
}

static PyObject *
store(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    uint64_t *word;
    unsigned long long value;

    (void)module;
    if (!takes(count, 2) || (word = word_at(arguments[0])) == NULL)
        return NULL;
    value = PyLong_AsUnsignedLongLong(arguments[1]);
    if (value == (unsigned long long)-1 && PyErr_Occurred())
        return NULL;
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
    return none();
}

static PyObject *
cas(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    uint64_t *word, expected;
    unsigned long long value;

    (void)module;
    if (!takes(count, 3) || (word = word_at(arguments[0])) == NULL)
        return NULL;
    expected = PyLong_AsUnsignedLongLong(arguments[1]);
    if (expected == (uint64_t)-1 && PyErr_Occurred())
        return NULL;
    value = PyLong_AsUnsignedLongLong(arguments[2]);
    if (value == (unsigned long long)-1 && PyErr_Occurred())
        return NULL;
    return PyBool_FromLong(__atomic_compare_exchange_n(
        word, &expected, value, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
}

static PyObject *
fence(PyObject *module, PyObject *nothing)
{
    (void)module;
    (void)nothing;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return none();
}

static PyMethodDef methods[] = {
    {"load", load, METH_O, "Return the word at an address, acquiring."},
    {"store", (PyCFunction)(void (*)(void))store, METH_FASTCALL,
     "Write a word at an address, releasing."},
    {"cas", (PyCFunction)(void (*)(void))cas, METH_FASTCALL,
     "Replace a word that is as expected; return whether it was."},
    {"fence", fence, METH_NOARGS, "Order all before against all after."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_atomics",
    .m_doc = "Atomic operations on 64-bit words, by address.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__atomics(void)
{
    return PyModuleDef_Init(&definition);
}
